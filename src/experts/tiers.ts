/** The tiers below GPU memory as the streamer sees them: records in memory, and where to read the others. */

export interface TierOptions {
  readonly units: number; // of a layer
  readonly recordBytes: number;
  readonly hostBytes: number; // of records kept in memory
  /** Reads a record from disk or network. The result must not be written to afterwards. */
  readonly read: (layer: number, unit: number, signal: AbortSignal) => Promise<Uint8Array<ArrayBuffer>>;
}

export interface TierCounters {
  memoryHits: number;
  reads: number; // from below memory
  readBytes: number;
  joined: number; // asked for while they were being read
  readMs: number; // summed over reads, which overlap
}

/** Records in memory, the least recently used of which make room; below them a reader whose reads are shared. */
export class RecordTiers {
  readonly counters: TierCounters = { memoryHits: 0, reads: 0, readBytes: 0, joined: 0, readMs: 0 };
  readonly recordBytes: number;
  readonly #options: TierOptions;
  readonly #records = new Map<number, Uint8Array<ArrayBuffer>>(); // in order of use
  readonly #pending = new Map<number, Promise<Uint8Array<ArrayBuffer>>>();
  readonly #closing = new AbortController();
  #mostRecords: number;

  constructor(options: TierOptions) {
    this.#options = options;
    this.recordBytes = options.recordBytes;
    this.#mostRecords = Math.floor(options.hostBytes / options.recordBytes);
  }

  /** Bytes of records in memory. */
  get heldBytes(): number {
    return this.#records.size * this.recordBytes;
  }

  /** Whether a record is being read. */
  isPending(layer: number, unit: number): boolean {
    return this.#pending.has(this.#key(layer, unit));
  }

  /** The record, where it is in memory. */
  peek(layer: number, unit: number): Uint8Array<ArrayBuffer> | undefined {
    const key = this.#key(layer, unit);
    const record = this.#records.get(key);
    if (!record) return undefined;
    this.#records.delete(key);
    this.#records.set(key, record);
    this.counters.memoryHits += 1;
    return record;
  }

  /**
   * Reads a record. Who asks while it is being read gets the same read; an abort leaves the read to the others.
   *
   * @throws {AtomoeError} network, integrity, bad-file and the like; an aborted signal's reason
   */
  async read(layer: number, unit: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    signal?.throwIfAborted();
    const held = this.peek(layer, unit);
    if (held) return held;
    const key = this.#key(layer, unit);
    let pending = this.#pending.get(key);
    if (pending) this.counters.joined += 1;
    else {
      pending = this.#fetch(layer, unit, key);
      this.#pending.set(key, pending);
    }
    return signal ? abortable(pending, signal) : pending;
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
  }

  async #fetch(layer: number, unit: number, key: number): Promise<Uint8Array<ArrayBuffer>> {
    const startedMs = performance.now();
    try {
      const record = await this.#options.read(layer, unit, this.#closing.signal);
      this.counters.reads += 1;
      this.counters.readBytes += record.byteLength;
      this.#keep(key, record);
      return record;
    } finally {
      this.counters.readMs += performance.now() - startedMs;
      this.#pending.delete(key);
    }
  }

  #keep(key: number, record: Uint8Array<ArrayBuffer>): void {
    if (this.#mostRecords === 0 || this.#closing.signal.aborted) return;
    this.#records.set(key, record);
    this.#trim();
  }

  #trim(): void {
    for (const oldest of this.#records.keys()) {
      if (this.#records.size <= this.#mostRecords) return;
      this.#records.delete(oldest);
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
