import type { TuningStore } from './tuning.ts';

const DATABASE = 'atomoe';
const TABLE = 'tuning';

/** Keeps tunings in IndexedDB, which windows and workers share. */
export const indexedDbTuningStore: TuningStore = {
  async read(adapter) {
    const value = await withTable('readonly', (table) => table.get(adapter));
    return new Map(Array.isArray(value) ? (value as [string, string][]) : []);
  },
  async write(adapter, tuning) {
    await withTable('readwrite', (table) => table.put([...tuning], adapter));
  },
};

/** The store of this environment; undefined where there is none, such as Node. */
export function defaultTuningStore(): TuningStore | undefined {
  return globalThis.indexedDB ? indexedDbTuningStore : undefined;
}

async function withTable(
  mode: IDBTransactionMode,
  ask: (table: IDBObjectStore) => IDBRequest,
): Promise<unknown> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(TABLE);
  const database = await settled(opening);
  try {
    return await settled(ask(database.transaction(TABLE, mode).objectStore(TABLE)));
  } finally {
    database.close();
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB refused'));
  });
}
