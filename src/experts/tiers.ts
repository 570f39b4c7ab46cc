/** The tiers below GPU memory as the streamer sees them: records in memory, and where to read the others. */
import { invariant } from '../errors.ts';
import { giveMemory } from '../io/spare-memory.ts';
import type { BaseRecords, RecordPlanes } from './base-records.ts';
import type { LinkState } from './prefetch-budget.ts';

/** What the tiers read, and how much they keep. */
export interface TierOptions {
  readonly units: number; // of a layer
  readonly recordBytes: number;
  readonly hostBytes: number; // of records kept in memory
  readonly mostReadingBytes?: number; // of records that are being read at a time; default 32 MiB
  /** Reads a record from disk or network. The result belongs to the tiers. */
  readonly read: (layer: number, unit: number, signal: AbortSignal) => Promise<Uint8Array<ArrayBuffer>>;
  /** How the base of records is read before the planes that refine it, where they have any. */
  readonly planes?: RecordPlanes | undefined;
  /** What the link seems to be, instead of what is measured. For tests, which may not depend on time. */
  readonly link?: (() => LinkState) | undefined;
}

/** A record that is being read. */
interface Pending {
  record: Promise<Uint8Array<ArrayBuffer>>;
  users: number; // who wait for it
  readonly abort: AbortController;
  isGuess: boolean; // not needed yet
}

/** Who has a record. */
interface Use {
  users: number;
  isKept: boolean; // in memory, for who asks later
}

/** Counts of reads since the tiers were opened. */
export interface TierCounters {
  memoryHits: number;
  reads: number; // from below memory
  readBytes: number;
  joined: number; // asked for while they were being read
  preempted: number; // guesses that were given up for what is needed
  busyMs: number; // in which something was being read
}

/** Of records that are being read at a time: more would take memory, and no link is faster with more. */
const MOST_READING_BYTES = 32 * 2 ** 20;

/** The share of busy time is taken over about so long. */
const UTILISATION_MS = 1000;

const NOT_BEGUN: Pending['record'] = Promise.resolve(new Uint8Array(0));

/** Records in memory, the least recently used of which make room; below them a reader whose reads are shared. */
export class RecordTiers {
  readonly counters: TierCounters = {
    memoryHits: 0,
    reads: 0,
    readBytes: 0,
    joined: 0,
    preempted: 0,
    busyMs: 0,
  };
  readonly recordBytes: number;
  readonly mostReads: number; // at a time
  readonly bases: BaseRecords | undefined; // that are read ahead, where records have planes
  readonly #options: TierOptions;
  readonly #records = new Map<number, Uint8Array<ArrayBuffer>>(); // in order of use
  readonly #uses = new WeakMap<Uint8Array<ArrayBuffer>, Use>();
  readonly #pending = new Map<number, Pending>();
  readonly #closing = new AbortController();
  readonly #turns: (() => void)[] = []; // of reads that have to wait
  #reading = 0;
  #mostRecords: number;
  #utilisation = 0;
  #changedMs = 0; // when reading began or ended last

  constructor(options: TierOptions) {
    this.#options = options;
    this.recordBytes = options.recordBytes;
    const isHere = (layer: number, unit: number) =>
      this.#records.has(this.#key(layer, unit)) || this.isPending(layer, unit);
    this.bases = options.planes?.open({ ...options, isHere });
    this.#mostRecords = Math.floor(options.hostBytes / options.recordBytes);
    this.mostReads = Math.max(
      1,
      Math.floor((options.mostReadingBytes ?? MOST_READING_BYTES) / options.recordBytes),
    );
  }

  /** Bytes of records in memory. */
  get heldBytes(): number {
    return this.#records.size * this.recordBytes;
  }

  /** What the way to these records has to spare, and how fast it is. */
  link(nowMs = performance.now()): LinkState {
    if (this.#options.link) return this.#options.link();
    this.#account(nowMs);
    const { readBytes, busyMs } = this.counters;
    return { utilisation: this.#utilisation, bytesPerMs: busyMs > 0 ? readBytes / busyMs : Infinity };
  }

  /** Whether a record is being read. */
  isPending(layer: number, unit: number): boolean {
    return this.#pending.has(this.#key(layer, unit));
  }

  /** The record, where it is in memory. It may not be written to; `done` when it has been used. */
  peek(layer: number, unit: number): Uint8Array<ArrayBuffer> | undefined {
    const key = this.#key(layer, unit);
    const record = this.#records.get(key);
    if (!record) return undefined;
    this.#records.delete(key);
    this.#records.set(key, record);
    this.counters.memoryHits += 1;
    this.#use(record).users += 1;
    return record;
  }

  /**
   * Reads a record. Who asks while it is being read gets the same read; an abort leaves the read to the others. The record
   * may not be written to; `done` when it has been used.
   *
   * @throws {AtomoeError} network, integrity, bad-file and the like; an aborted signal's reason
   */
  async read(layer: number, unit: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    signal?.throwIfAborted();
    const held = this.peek(layer, unit);
    if (held) return held;
    const key = this.#key(layer, unit);
    let pending = this.#pending.get(key);
    if (pending?.abort.signal.aborted) {
      // Given up a moment ago: it is not read twice at a time.
      await pending.record.catch(() => {});
      return this.read(layer, unit, signal);
    }
    if (pending) {
      pending.isGuess = false;
      pending.users += 1;
      this.counters.joined += 1;
    } else {
      this.#preempt();
      pending = this.#begin(layer, unit, key, false);
    }
    return signal ? abortable(pending.record, signal) : pending.record;
  }

  /**
   * Reads a record that may not be needed. It is given up when one that is needed has to be read.
   *
   * @throws as `read`; an `AbortError` when it was given up
   */
  guess(layer: number, unit: number): Promise<Uint8Array<ArrayBuffer>> {
    const key = this.#key(layer, unit);
    const pending = this.#pending.get(key);
    if (pending) pending.users += 1;
    return (pending ?? this.#begin(layer, unit, key, true)).record;
  }

  /**
   * Who got a record, by `peek`, `read` or `guess`, has used it, and does not look at it again: when all have, and it is not
   * kept, its memory serves for others. A record for which somebody omits it is left to the collector of garbage.
   */
  done(record: Uint8Array<ArrayBuffer>): void {
    const use = this.#use(record);
    use.users -= 1;
    this.#reuse(record, use);
  }

  #use(record: Uint8Array<ArrayBuffer>): Use {
    const use = this.#uses.get(record);
    invariant(use, () => 'a record that is of no tier');
    return use;
  }

  #reuse(record: Uint8Array<ArrayBuffer>, { users, isKept }: Use): void {
    if (isKept || users > 0) return;
    this.#uses.delete(record); // a second `done` would be an error
    giveMemory(record);
  }

  /** Changes how many bytes of records are kept. */
  resize(hostBytes: number): void {
    this.#mostRecords = Math.floor(hostBytes / this.recordBytes);
    this.#trim();
  }

  /** Stops all reads and forgets the records. */
  dispose(): void {
    this.#closing.abort(new DOMException('the engine was disposed', 'AbortError'));
    this.#records.clear();
    this.bases?.clear();
  }

  #begin(layer: number, unit: number, key: number, isGuess: boolean): Pending {
    this.#account(performance.now());
    const abort = new AbortController();
    const pending = { record: NOT_BEGUN, users: 1, abort, isGuess };
    this.#pending.set(key, pending);
    pending.record = this.#fetch(layer, unit, key, pending);
    return pending;
  }

  async #fetch(layer: number, unit: number, key: number, pending: Pending): Promise<Uint8Array<ArrayBuffer>> {
    try {
      const either = AbortSignal.any([pending.abort.signal, this.#closing.signal]);
      const read = () => this.bases?.rest(layer, unit, either) ?? this.#options.read(layer, unit, either);
      const record = await this.#inTurn(read, either);
      this.counters.reads += 1;
      this.counters.readBytes += record.byteLength;
      this.#uses.set(record, { users: pending.users, isKept: false });
      this.#keep(key, record);
      return record;
    } finally {
      this.#account(performance.now());
      this.#pending.delete(key);
    }
  }

  /** Runs a read as soon as few enough are under way. */
  async #inTurn<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T> {
    while (this.#reading >= this.mostReads) {
      signal.throwIfAborted();
      let begin = () => {};
      const turn = new Promise<void>((resolve) => (begin = resolve));
      this.#turns.push(begin);
      await abortable(turn, signal).catch((error: unknown) => {
        const place = this.#turns.indexOf(begin);
        if (place >= 0) this.#turns.splice(place, 1);
        else this.#turns.shift()?.(); // its turn had come: the next one's
        throw error;
      });
    }
    this.#reading += 1;
    try {
      return await read();
    } finally {
      this.#reading -= 1;
      this.#turns.shift()?.();
    }
  }

  /** Needed records first: guesses that have not been asked for leave the link. */
  #preempt(): void {
    for (const { isGuess, abort } of this.#pending.values()) {
      if (!isGuess || abort.signal.aborted) continue;
      this.counters.preempted += 1;
      abort.abort(new DOMException('given up for an expert that is needed', 'AbortError'));
    }
  }

  /** Counts the time since the last change as busy or idle. */
  #account(nowMs: number): void {
    const isBusy = this.#pending.size > 0;
    const passedMs = this.#changedMs > 0 ? Math.max(0, nowMs - this.#changedMs) : 0;
    const kept = Math.exp(-passedMs / UTILISATION_MS);
    this.#utilisation = this.#utilisation * kept + (1 - kept) * Number(isBusy);
    if (isBusy) this.counters.busyMs += passedMs;
    this.#changedMs = nowMs;
  }

  #keep(key: number, record: Uint8Array<ArrayBuffer>): void {
    if (this.#mostRecords === 0 || this.#closing.signal.aborted) return;
    this.#use(record).isKept = true;
    this.#records.set(key, record);
    this.#trim();
  }

  #trim(): void {
    for (const [oldest, record] of this.#records) {
      if (this.#records.size <= this.#mostRecords) return;
      this.#records.delete(oldest);
      const use = this.#use(record);
      use.isKept = false;
      this.#reuse(record, use);
    }
  }

  #key(layer: number, unit: number): number {
    return layer * this.#options.units + unit;
  }
}

/** The promise's outcome, or the signal's reason if that comes first. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
