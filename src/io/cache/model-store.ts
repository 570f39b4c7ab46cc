/** The models that are in local storage: what a page lists, and what it deletes. */
import { AtomoeError } from '../../errors.ts';
import { copiesOf, replay } from './files.ts';
import { findJournal } from './journal.ts';
import { publicLabel } from '../http-url.ts';
import { asFault } from '../storage.ts';
import type { DiskStorage, StorageEstimate } from '../storage.ts';

/** A model in the cache. */
export interface StoredModel {
  readonly key: string; // for `deleteModel`
  readonly label: string; // the URL it came from; empty when that was lost
  readonly storedBytes: number;
  readonly totalBytes: number; // of all its files that were ever opened
  readonly isComplete: boolean; // every byte of them is there
  readonly usedAtMs: number; // when it was last opened, since 1970; 0: unknown
}

/**
 * Lists the stored models, the one used last first. Works in windows and beside a writer too.
 *
 * @throws {AtomoeError} bad-file - the storage cannot be read
 */
export async function listModels(storage: DiskStorage): Promise<StoredModel[]> {
  return translated('The stored models could not be listed', async () => {
    const models: StoredModel[] = [];
    for (const key of await storage.directories()) models.push(await describe(storage, key));
    return models.sort((a, b) => b.usedAtMs - a.usedAtMs);
  });
}

/**
 * Deletes a model. One that is not there is fine.
 *
 * @throws {AtomoeError} storage-locked - a tab, a worker or a process has it open
 */
export async function deleteModel(storage: DiskStorage, key: string): Promise<void> {
  return translated(`The stored model ${key} could not be deleted`, async () => {
    if ((await storage.directories()).includes(key)) await storage.deleteDirectory(key);
  });
}

/**
 * How much is stored, and how much may be.
 *
 * @throws {AtomoeError} bad-file - the storage does not tell
 */
export async function estimateStorage(storage: DiskStorage): Promise<StorageEstimate> {
  return translated('The size of the storage could not be read', () => storage.estimate());
}

/**
 * Asks the browser to keep what is stored when the disk runs full. Firefox asks the user first: do not wait for the
 * answer with anything else.
 *
 * @returns whether it will be kept
 */
export async function persist(storage: DiskStorage): Promise<boolean> {
  return storage.persist().catch(() => false);
}

async function describe(storage: DiskStorage, key: string): Promise<StoredModel> {
  const found = await findJournal(storage, key);
  if (!found) {
    const files = await storage.files(key);
    const storedBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return { key, label: '', storedBytes, totalBytes: storedBytes, isComplete: false, usedAtMs: 0 };
  }
  const catalogue = replay(found.records);
  const copies = copiesOf(catalogue);
  const storedBytes = copies.reduce((sum, { extents }) => sum + extents.storedBytes, 0);
  const totalBytes = copies.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const isComplete = copies.length > 0 && storedBytes === totalBytes;
  const { usedAtMs } = catalogue;
  return { key, label: publicLabel(found.head.label), storedBytes, totalBytes, isComplete, usedAtMs };
}

async function translated<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    const fault = asFault(cause);
    if (fault.kind === 'locked') {
      throw new AtomoeError(
        'storage-locked',
        `${what}: it is in use (${fault.message}); close the other tabs that use it and try again`,
        { cause },
      );
    }
    throw new AtomoeError(
      'bad-file',
      `${what}: ${fault.message}; storage that can be read and written is wanted; clear this site's data in the browser`,
      { cause },
    );
  }
}
