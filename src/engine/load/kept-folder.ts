/** A model's files as the engine opens them: kept on the local disk where they come from a URL. */
import { coalescedFolder } from '../../io/coalesce.ts';
import type { CachedFolder } from '../../io/cache/disk-cache.ts';
import type { StoredModel } from '../../io/cache/model-store.ts';
import { openFolder } from '../../io/folder.ts';
import { parseHubName } from '../../io/hub-name.ts';
import { listedFolder } from '../../io/listed.ts';
import type { FolderSource } from '../../io/source.ts';
import type { DiskStorage } from '../../io/storage.ts';
import type { DiskReport, LoadOptions, ModelSource } from '../api.ts';

/** What an engine does with all its models. */
export interface Keeping extends Pick<LoadOptions, 'headers' | 'fetch' | 'hubUrl'> {
  /** Where files are kept; default: the browser's private file system. */
  readonly storage?: DiskStorage | Promise<DiskStorage>;
}

/**
 * @param engine - what holds where `options` say nothing
 * @param lockTimeoutMs - how long to wait for who writes there and may be about to leave
 */
export async function openKept(
  model: ModelSource,
  options: LoadOptions,
  engine: Keeping,
  lockTimeoutMs: number,
): Promise<FolderSource> {
  if (typeof model !== 'string') {
    if ('open' in model && isCached(model)) return model;
    const { givenFolder } = await import('./given-folder.ts');
    return givenFolder(model);
  }
  const { headers = engine.headers, fetch = engine.fetch, diskCache = true } = options;
  const http = { ...(headers ? { headers } : {}), ...(fetch ? { fetch } : {}) };
  const hub = { ...http, hubUrl: options.hubUrl ?? engine.hubUrl, signal: options.signal };
  const kept = diskCache ? () => keptModels(engine.storage) : undefined;
  const { address, names } = parseHubName(model)
    ? await (await import('../../io/hub.ts')).hubAddress(model, { ...hub, kept })
    : { address: model };
  const folder = coalescedFolder(listedFolder(openFolder(address, http), names));
  // What an app or an extension brings along is on the disk already.
  const isKept = diskCache && /^https?:/.test(folder.label);
  return isKept ? keep(folder, engine.storage, lockTimeoutMs) : folder;
}

/** What keeps files is a chunk of its own: a page that opens its user's files does without. */
async function keep(
  folder: FolderSource,
  storage: Keeping['storage'],
  lockTimeoutMs: number,
): Promise<CachedFolder> {
  const [{ cachedFolder }, { openOpfs }] = await Promise.all([
    import('../../io/cache/disk-cache.ts'),
    import('../../io/opfs.ts'),
  ]);
  return cachedFolder(folder, await (storage ?? openOpfs()), { lockTimeoutMs });
}

async function keptModels(storage: Keeping['storage']): Promise<StoredModel[]> {
  const [{ listModels }, { openOpfs }] = await Promise.all([
    import('../../io/cache/model-store.ts'),
    import('../../io/opfs.ts'),
  ]);
  return listModels(await (storage ?? openOpfs()));
}

/** Whether what is read of a folder is kept on disk. */
export function isCached(folder: FolderSource): folder is CachedFolder {
  return 'cache' in folder;
}

/** Finishes writing to the disk cache, where the folder has one. */
export async function closeFolder(folder: FolderSource): Promise<void> {
  if (isCached(folder)) await folder.dispose();
}

/** What the disk cache holds of a folder's model. */
export function diskReport({ cache }: CachedFolder): DiskReport {
  const { key, storedBytes, totalBytes, isReadOnly, why } = cache.status;
  return { key, storedBytes, totalBytes, isReadOnly, why: why?.message ?? '' };
}
