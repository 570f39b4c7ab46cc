/** Folders that come without an address. Most pages name a model by one. */
import { fileFolder } from '../../io/blob.ts';
import type { FolderSource } from '../../io/source.ts';
import { callersFolder } from './callers-folder.ts';

/** The folder of chosen files, or of the caller's own making. */
export function givenFolder(source: readonly File[] | FolderSource): FolderSource {
  return 'open' in source ? callersFolder(source) : fileFolder(source);
}
