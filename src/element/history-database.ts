/**
 * Conversations on this device, in IndexedDB: pages read and write it without a worker, also where the model's files
 * cannot be kept. Nothing leaves the device.
 */
import type { SavedConversation } from './conversation-file.ts';

const STORE = 'conversations';

/** The conversations of one origin. Methods reject with the browser's own errors. */
export class HistoryDatabase {
  readonly #database: Promise<IDBDatabase>;

  constructor(name = 'atomoe-history') {
    this.#database = open(name);
    this.#database.catch(() => {}); // each method says it again
  }

  /** All, the last one that was changed first. */
  async list(): Promise<readonly SavedConversation[]> {
    const store = (await this.#database).transaction(STORE).objectStore(STORE);
    const all = await settled(store.getAll() as IDBRequest<SavedConversation[]>);
    return all.sort((a, b) => b.changedAtMs - a.changedAtMs);
  }

  async put(...conversations: readonly SavedConversation[]): Promise<void> {
    await this.#write((store) => conversations.forEach((each) => store.put(each)));
  }

  async delete(id: string): Promise<void> {
    await this.#write((store) => store.delete(id));
  }

  async clear(): Promise<void> {
    await this.#write((store) => store.clear());
  }

  async close(): Promise<void> {
    (await this.#database).close();
  }

  async #write(change: (store: IDBObjectStore) => void): Promise<void> {
    const transaction = (await this.#database).transaction(STORE, 'readwrite');
    const done = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onerror = () => reject(asError(transaction.error));
      transaction.onabort = () => reject(asError(transaction.error)); // the disk is full
    });
    change(transaction.objectStore(STORE));
    await done;
  }
}

async function open(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'id' });
  const database = await settled(request);
  database.onversionchange = () => database.close(); // a later version in another tab need not wait for this one
  return database;
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(asError(request.error));
  });
}

function asError(error: DOMException | null): Error {
  return error ?? new Error('the browser gave no reason');
}
