/** What the browser keeps of models, for pages: `io/model-store.ts` over its private file system. */
import * as store from '../../io/cache/model-store.ts';
import { openOpfs } from '../../io/opfs.ts';
import { text } from '../checks.ts';
import type { StorageEstimate } from '../../io/storage.ts';

export type { StoredModel } from '../../io/cache/model-store.ts';

/** The models whose files are kept on this device, wholly or in part; none where the browser keeps nothing. */
export async function listModels(): Promise<store.StoredModel[]> {
  return store.listModels(await openOpfs());
}

/**
 * Forgets a model's files.
 *
 * @param key - of `listModels`, or of `StreamingReport.disk`
 * @throws {AtomoeError} storage-locked - it is in use, here or in another tab
 */
export async function deleteModel(key: string): Promise<void> {
  await store.deleteModel(await openOpfs(), text(key, 'the key of a model'));
}

/** How much this site stores, and how much it may. */
export async function estimateStorage(): Promise<StorageEstimate> {
  return store.estimateStorage(await openOpfs());
}

/** Asks the browser not to clear what is kept when space runs low; it may ask the user first, or refuse. */
export async function persistStorage(): Promise<boolean> {
  return store.persist(await openOpfs());
}
