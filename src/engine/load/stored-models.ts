/** What the browser keeps of models, for pages: `io/model-store.ts` over its private file system. */
import type { StoredModel } from '../../io/cache/model-store.ts';
import { text } from '../checks.ts';
import type { StorageEstimate } from '../../io/storage.ts';

export type { StoredModel } from '../../io/cache/model-store.ts';

/** Loaded when it is asked for: few pages do. */
async function open() {
  const [store, { openOpfs }] = await Promise.all([
    import('../../io/cache/model-store.ts'),
    import('../../io/opfs.ts'),
  ]);
  return { store, storage: await openOpfs() };
}

/** The models whose files are kept on this device, wholly or in part; none where the browser keeps nothing. */
export async function listModels(): Promise<StoredModel[]> {
  const { store, storage } = await open();
  return store.listModels(storage);
}

/**
 * Forgets a model's files.
 *
 * @param key - of `listModels`, or of `StreamingReport.disk`
 * @throws {AtomoeError} storage-locked - it is in use, here or in another tab
 */
export async function deleteModel(key: string): Promise<void> {
  const checked = text(key, 'the key of a model');
  const { store, storage } = await open();
  await store.deleteModel(storage, checked);
}

/** How much this site stores, and how much it may. */
export async function estimateStorage(): Promise<StorageEstimate> {
  const { store, storage } = await open();
  return store.estimateStorage(storage);
}

/** Asks the browser not to clear what is kept when space runs low; it may ask the user first, or refuse. */
export async function persistStorage(): Promise<boolean> {
  const { store, storage } = await open();
  return store.persist(storage);
}
