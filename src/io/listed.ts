import { factsOf } from './source.ts';
import type { FolderSource } from './source.ts';

/** The same folder, which is asked only for the files that it is known to have. */
export function listedFolder(folder: FolderSource, names: ReadonlySet<string> | undefined): FolderSource {
  if (!names) return folder;
  return {
    ...factsOf(folder),
    open: async (name, options) => (names.has(name) ? folder.open(name, options) : undefined),
  };
}
