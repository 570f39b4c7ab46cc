/** The models on this device, as the engine's worker keeps them. */
import { AtomoeError } from '../src/errors.ts';
import {
  deleteModel,
  estimateStorage,
  listModels,
  persistStorage,
  type StoredModel,
} from '../src/engine/load/stored-models.ts';

export type { StoredModel };

export interface Kept {
  readonly models: readonly StoredModel[];
  readonly usageBytes: number;
  readonly quotaBytes: number | undefined; // undefined: not reported
  readonly isPersistent: boolean; // the browser deletes nothing by itself
}

export async function readKept(): Promise<Kept> {
  const [models, { usageBytes, quotaBytes }] = [await listModels(), await estimateStorage()];
  const isPersistent = (await navigator.storage?.persisted?.()) ?? false;
  return { models, usageBytes, quotaBytes, isPersistent };
}

/** Whether the browser gives the page a place for files: some private windows have none. */
export async function canKeep(): Promise<boolean> {
  const estimate = await estimateStorage().catch(() => undefined);
  return estimate !== undefined && estimate.quotaBytes !== 0;
}

const RETRY_MS = 300;

/**
 * Deletes a model; one that is in use is tried again this many times.
 *
 * @throws {AtomoeError} storage-locked - a tab has it open
 */
export async function deleteKept(key: string, retries: number): Promise<void> {
  try {
    await deleteModel(key);
  } catch (error) {
    if (retries === 0 || !(error instanceof AtomoeError) || error.code !== 'storage-locked') throw error;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    await deleteKept(key, retries - 1);
  }
}

/** May ask the visitor, who may take their time. */
export async function keepForGood(): Promise<boolean> {
  return persistStorage();
}
