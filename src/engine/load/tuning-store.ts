/** Keeps what was measured on this adapter between visits, so that tuning happens once. */
import type { TuningStore } from './tuning.ts';

const DATABASE = 'atomoe';
const STORE = 'tuning';

/** A store in IndexedDB, which workers and pages share; where there is none, every visit measures anew. */
export function indexedDbTuning(
  factory: IDBFactory | undefined = globalThis.indexedDB,
): TuningStore | undefined {
  if (!factory) return undefined;
  return {
    async read(adapter) {
      const found = await within(factory, 'readonly', (store) => store.get(adapter));
      return found instanceof Map ? (found as Map<string, string>) : new Map();
    },
    async write(adapter, tuning) {
      await within(factory, 'readwrite', (store) => store.put(new Map(tuning), adapter));
    },
  };
}

async function within(
  factory: IDBFactory,
  mode: IDBTransactionMode,
  ask: (store: IDBObjectStore) => IDBRequest,
): Promise<unknown> {
  const opening = factory.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = (await settled(opening)) as IDBDatabase;
  try {
    return await settled(ask(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

function settled(request: IDBRequest): Promise<unknown> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('the browser refused its database'));
  });
}
