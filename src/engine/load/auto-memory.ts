/**
 * `memoryBudget: 'auto'`. WebGPU does not report how much memory is free, and a tab that takes too much is killed without a
 * word. So a marker is kept while a model is loaded: where it is found without its tab, the tab died, and half is taken.
 */
import type { PlanNote } from '../api.ts';

const GIB = 2 ** 30;

/** Outside of browsers there is no tab to be killed, and no word about the machine either. */
const SERVER_BUDGET_BYTES = 4 * GIB;
/** Browsers that say nothing: Safari and Firefox. Phones and tablets kill tabs from about 1.5 GB on. */
const TOUCH_BUDGET_BYTES = GIB;
const DESKTOP_BUDGET_BYTES = 2 * GIB;
/** Halving ends here: smaller budgets run no model. */
const LEAST_BYTES = 64 * 2 ** 20;

const MARKERS_KEY = 'atomoe:loading'; // { id: bytes }
const LIMIT_KEY = 'atomoe:memory-limit'; // bytes
const lockName = (id: string): string => `atomoe-loading-${id}`;

/** What is known of the machine. */
export interface MachineFacts {
  readonly isBrowser: boolean;
  readonly deviceMemoryGib: number | undefined; // navigator.deviceMemory: 8 at most
  readonly isTouchOnly: boolean; // no mouse, no trackpad
}

/**
 * Half of the memory that the browser reports; where it reports none, 1 GiB on devices with touch only, else 2 GiB;
 * outside of browsers 4 GiB.
 */
export function guessBudgetBytes({ isBrowser, deviceMemoryGib, isTouchOnly }: MachineFacts): number {
  if (deviceMemoryGib !== undefined) return (deviceMemoryGib / 2) * GIB;
  if (!isBrowser) return SERVER_BUDGET_BYTES;
  return isTouchOnly ? TOUCH_BUDGET_BYTES : DESKTOP_BUDGET_BYTES;
}

/** What the browser reports of the machine; undefined where it reports nothing. */
export function machineFacts(): MachineFacts {
  const { navigator } = globalThis as { navigator?: Navigator & { deviceMemory?: number } };
  const hasFinePointer = globalThis.matchMedia?.('(any-pointer: fine)').matches ?? true;
  return {
    isBrowser: 'window' in globalThis || 'WorkerGlobalScope' in globalThis,
    deviceMemoryGib: navigator?.deviceMemory,
    isTouchOnly: (navigator?.maxTouchPoints ?? 0) > 0 && !hasFinePointer,
  };
}

/** The budget that 'auto' means. Plain data: it goes to a worker. */
export interface AutoBudget {
  readonly budgetBytes: number;
  /** Why it is less than the rule says. */
  readonly note: PlanNote | undefined;
}

/** The same, and what keeps watch while it is used. */
export interface AutoMemory extends AutoBudget {
  /** Before a model takes memory. */
  begin(): Promise<void>;
  /** The first token came, the load failed, or the model was let go. */
  settle(): void;
}

/** A budget that somebody else watches over: the page, for the engine in its worker. */
export function fixedMemory({ budgetBytes, note }: AutoBudget): AutoMemory {
  return { budgetBytes, note, begin: async () => {}, settle: () => {} };
}

/** What the marker needs of a page. */
export interface MarkerHost {
  readonly storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  readonly locks: Pick<LockManager, 'request' | 'query'>;
  /** Calls back when the page goes in an orderly way. @returns what stops listening */
  onLeave(callback: () => void): () => void;
}

/** The page itself; undefined where it keeps nothing (a worker, Node, a sandboxed frame). */
function pageHost(): MarkerHost | undefined {
  try {
    const { localStorage: storage, navigator } = globalThis;
    if (!storage || !navigator.locks) return undefined;
    return {
      storage,
      locks: navigator.locks,
      onLeave: (callback) => {
        addEventListener('pagehide', callback, { once: true });
        return () => removeEventListener('pagehide', callback);
      },
    };
  } catch {
    return undefined; // storage that the browser forbids throws when it is looked at
  }
}

/** Checks whether a tab died since the last visit, and decides what 'auto' means now. */
export async function openAutoMemory(
  facts: MachineFacts = machineFacts(),
  host: MarkerHost | undefined = pageHost(),
): Promise<AutoMemory> {
  const ruleBytes = guessBudgetBytes(facts);
  if (!host) return fixedMemory({ budgetBytes: ruleBytes, note: undefined });
  try {
    const limitBytes = await readLimit(host);
    if (limitBytes === undefined || limitBytes >= ruleBytes)
      return new WatchedMemory(host, ruleBytes, undefined);
    const mib = Math.round(limitBytes / 2 ** 20);
    const message =
      `The last visit ended while a model was in memory, so this one takes at most ${mib} MiB of GPU memory, ` +
      'half of before.';
    return new WatchedMemory(host, limitBytes, { kind: 'memory-halved', message });
  } catch {
    return fixedMemory({ budgetBytes: ruleBytes, note: undefined }); // a full or locked store must not keep anybody from loading
  }
}

/** The limit of earlier visits, halved when a marker is left whose tab is gone. */
async function readLimit({ storage, locks }: MarkerHost): Promise<number | undefined> {
  const markers = readMarkers(storage);
  const { held = [] } = await locks.query();
  const alive = new Set(held.map(({ name }) => name));
  const dead = Object.keys(markers).filter((id) => !alive.has(lockName(id)));
  const before = Number(storage.getItem(LIMIT_KEY) ?? Number.NaN);
  const limit = Number.isFinite(before) && before > 0 ? before : undefined;
  if (dead.length === 0) return limit;
  const smallest = Math.min(...dead.map((id) => markers[id] ?? Infinity), limit ?? Infinity);
  const halved = Math.max(LEAST_BYTES, Math.floor(smallest / 2));
  storage.setItem(LIMIT_KEY, String(halved));
  writeMarkers(storage, Object.fromEntries(Object.entries(markers).filter(([id]) => !dead.includes(id))));
  return halved;
}

function readMarkers(storage: MarkerHost['storage']): Record<string, number> {
  try {
    const value: unknown = JSON.parse(storage.getItem(MARKERS_KEY) ?? '{}');
    if (typeof value !== 'object' || value === null) return {};
    return Object.fromEntries(
      Object.entries(value).filter(([, bytes]) => Number.isFinite(bytes) && bytes > 0),
    );
  } catch {
    return {};
  }
}

function writeMarkers(storage: MarkerHost['storage'], markers: Record<string, number>): void {
  if (Object.keys(markers).length === 0) storage.removeItem(MARKERS_KEY);
  else storage.setItem(MARKERS_KEY, JSON.stringify(markers));
}

class WatchedMemory implements AutoMemory {
  readonly budgetBytes: number;
  readonly note: PlanNote | undefined;
  readonly #host: MarkerHost;
  #end: (() => void) | undefined;

  constructor(host: MarkerHost, budgetBytes: number, note: PlanNote | undefined) {
    this.#host = host;
    this.budgetBytes = budgetBytes;
    this.note = note;
  }

  /** The lock comes first: a marker without one is a dead tab's. */
  async begin(): Promise<void> {
    this.settle();
    const { storage, locks } = this.#host;
    const id = crypto.randomUUID();
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    await new Promise<void>((granted, refused) => {
      locks
        .request(lockName(id), () => {
          granted();
          return released;
        })
        .catch(refused);
    }).catch(() => {});
    const remove = (): void => {
      const { [id]: _, ...others } = readMarkers(storage);
      writeMarkers(storage, others);
    };
    const stopListening = this.#host.onLeave(() => this.settle());
    this.#end = () => {
      stopListening();
      remove();
      release();
    };
    try {
      writeMarkers(storage, { ...readMarkers(storage), [id]: this.budgetBytes });
    } catch {
      this.settle(); // a full store: no marker, and no reason to load nothing
    }
  }

  settle(): void {
    const end = this.#end;
    this.#end = undefined;
    end?.();
  }
}
