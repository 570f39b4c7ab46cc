import type { ReadOptions } from './source.ts';

/** One read of the source, with all who wait for a part of it. */
interface Flight {
  readonly offsetBytes: number;
  readonly endBytes: number;
  readonly bytes: Promise<Uint8Array>;
  readonly abort: AbortController;
  readonly listeners: Set<(doneBytes: number) => void>;
  readers: number;
}

/** Reads a range of a file. */
export type RangeReader = (
  offsetBytes: number,
  sizeBytes: number,
  options: ReadOptions,
) => Promise<Uint8Array>;

/**
 * Reads of one file that are under way. Who wants bytes that already come waits for them; a read is aborted when the last
 * of those who wait for it has left.
 */
export class SharedReads {
  readonly #flights = new Set<Flight>(); // no two overlap

  /**
   * Fills `into` with the bytes from `offsetBytes` on. What no read under way brings is read by `start`, at once: nothing
   * is awaited before that.
   *
   * @param span - where a source gives no parts, what a read that begins brings along: of the file, begin and end
   */
  async read(
    offsetBytes: number,
    into: Uint8Array<ArrayBuffer>,
    start: RangeReader,
    { signal, onProgress }: ReadOptions,
    span?: readonly [begin: number, end: number],
  ): Promise<void> {
    const end = offsetBytes + into.byteLength;
    const flights = this.#cover(offsetBytes, end, start, span ?? [offsetBytes, end]);
    const doneBytes = flights.map(() => 0);
    const copies = flights.map((flight, i) => {
      const report = (done: number) => {
        doneBytes[i] = done;
        onProgress?.(doneBytes.reduce((sum, part) => sum + part, 0));
      };
      return this.#copy(flight, offsetBytes, into, { signal, onProgress: report });
    });
    await Promise.all(copies);
  }

  #cover(begin: number, end: number, start: RangeReader, span: readonly [number, number]): Flight[] {
    const sorted = [...this.#flights].sort((a, b) => a.offsetBytes - b.offsetBytes);
    const cover: Flight[] = [];
    let at = begin;
    let roomBegin = 0; // between the flight before and the next one
    for (const flight of [...sorted, undefined]) {
      const roomEnd = flight?.offsetBytes ?? Infinity;
      if (at < Math.min(end, roomEnd)) {
        cover.push(this.#launch(Math.max(roomBegin, span[0]), Math.min(roomEnd, span[1]), start));
        at = roomEnd;
      }
      if (!flight) break;
      if (flight.offsetBytes < end && flight.endBytes > begin) cover.push(flight);
      at = Math.max(at, flight.endBytes);
      roomBegin = flight.endBytes;
    }
    return cover;
  }

  #launch(offsetBytes: number, endBytes: number, start: RangeReader): Flight {
    const abort = new AbortController();
    const listeners = new Set<(doneBytes: number) => void>();
    const onProgress = (doneBytes: number) => {
      for (const listener of listeners) listener(doneBytes);
    };
    const bytes = start(offsetBytes, endBytes - offsetBytes, { signal: abort.signal, onProgress }).finally(
      () => this.#flights.delete(flight),
    );
    bytes.catch(() => undefined); // heard by the readers, if any are left
    const flight: Flight = { offsetBytes, endBytes, bytes, abort, listeners, readers: 0 };
    this.#flights.add(flight);
    return flight;
  }

  async #copy(
    flight: Flight,
    offsetBytes: number,
    into: Uint8Array,
    { signal, onProgress }: ReadOptions,
  ): Promise<void> {
    const begin = Math.max(offsetBytes, flight.offsetBytes);
    const end = Math.min(offsetBytes + into.byteLength, flight.endBytes);
    const listener = (doneBytes: number) => {
      const until = Math.min(flight.offsetBytes + doneBytes, end);
      if (until > begin) onProgress?.(until - begin);
    };
    flight.readers++;
    flight.listeners.add(listener);
    try {
      const bytes = await unlessAborted(flight.bytes, signal);
      into.set(bytes.subarray(begin - flight.offsetBytes, end - flight.offsetBytes), begin - offsetBytes);
      onProgress?.(end - begin);
    } finally {
      flight.listeners.delete(listener);
      const isLast = --flight.readers === 0;
      if (isLast && this.#flights.delete(flight)) flight.abort.abort(signal?.reason);
    }
  }
}

/** A promise that rejects with the signal's reason when that comes first. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  signal.throwIfAborted();
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
