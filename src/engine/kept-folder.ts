/** A model's files as the engine opens them: kept on the local disk where they come from a URL. */
import { coalescedFolder } from '../io/coalesce.ts';
import { cachedFolder, type CachedFolder } from '../io/disk-cache.ts';
import { openFolder } from '../io/folder.ts';
import { openOpfs } from '../io/opfs.ts';
import type { FolderSource } from '../io/source.ts';
import type { DiskStorage } from '../io/storage.ts';
import type { DiskReport, LoadOptions, ModelSource } from './api.ts';

/** @param storage - where files are kept; default: the browser's private file system */
export async function openKept(
  model: ModelSource,
  { diskCache = true }: LoadOptions,
  storage: DiskStorage | Promise<DiskStorage> | undefined,
): Promise<FolderSource> {
  if (typeof model !== 'string') return openFolder(model);
  const folder = coalescedFolder(openFolder(model));
  return diskCache ? cachedFolder(folder, await (storage ?? openOpfs())) : folder;
}

export function isCached(folder: FolderSource): folder is CachedFolder {
  return 'cache' in folder;
}

export async function closeFolder(folder: FolderSource): Promise<void> {
  if (isCached(folder)) await folder.dispose();
}

export function diskReport({ cache }: CachedFolder): DiskReport {
  const { key, storedBytes, totalBytes, isReadOnly, why } = cache.status;
  return { key, storedBytes, totalBytes, isReadOnly, why: why?.message ?? '' };
}
