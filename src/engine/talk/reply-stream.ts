/**
 * A stream that ends by itself. A generator that is not read any more keeps everything it holds. So this one runs on
 * by itself once it has to end (its signal fired, its session was disposed of), and what comes is kept for a reader
 * that may come back; and it is closed when the last reader has dropped the stream.
 */

import { neverReactive } from '../checks.ts';

type Kept<T> = { readonly value: T } | { readonly error: unknown };

/** An async iterator over a generator that runs to its end even when it is not read. */
export class ReplyStream<T> implements AsyncIterableIterator<T, void, undefined> {
  readonly #core: Core<T>;

  /**
   * @param make - makes the generator, which may keep `finish`: its end is near, it is not to wait for its reader
   * @param onUnused - called where the stream is closed before it was ever read: the generator does not run then
   */
  constructor(
    make: (finish: () => void) => AsyncGenerator<T, void, undefined>,
    onUnused: () => void = () => {},
  ) {
    neverReactive(this);
    const core: Core<T> = new Core(
      make(() => core.finish()),
      onUnused,
    );
    this.#core = core;
    dropped.register(this, core); // the core knows nothing of this object, or it could never go
  }

  /** Ends the stream, read or not. Holds what it ends, and not the stream. */
  get finish(): () => void {
    const core = this.#core;
    return () => core.finish();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, void>> {
    return this.#core.next();
  }

  return(): Promise<IteratorResult<T, void>> {
    return this.#core.return();
  }

  throw(error: unknown): Promise<IteratorResult<T, void>> {
    return this.#core.return().then(() => Promise.reject(error));
  }
}

const dropped = new FinalizationRegistry<Core<unknown>>((core) => {
  core.return().catch(() => {}); // no reader is left to get the error
});

class Core<T> {
  readonly #source: AsyncGenerator<T, void, undefined>;
  readonly #onUnused: () => void;
  #kept: Kept<T>[] = [];
  #turn: Promise<void> = Promise.resolve(); // reads come one after another
  #hasStarted = false;
  #isEnding = false;

  constructor(source: AsyncGenerator<T, void, undefined>, onUnused: () => void) {
    this.#source = source;
    this.#onUnused = onUnused;
  }

  next(): Promise<IteratorResult<T, void>> {
    this.#hasStarted = true;
    return this.#inTurn(() => this.#step());
  }

  return(): Promise<IteratorResult<T, void>> {
    if (!this.#hasStarted) this.#onUnused();
    this.#hasStarted = true;
    return this.#inTurn(() => {
      this.#kept = [];
      return this.#source.return();
    });
  }

  finish(): void {
    this.#isEnding = true;
    if (this.#hasStarted) void this.#inTurn(() => Promise.resolve());
  }

  #inTurn<R>(act: () => Promise<R>): Promise<R> {
    const result = this.#turn.then(act);
    this.#turn = result.then(
      () => this.#drain(),
      () => this.#drain(),
    );
    return result;
  }

  async #step(): Promise<IteratorResult<T, void>> {
    const kept = this.#kept.shift();
    if (!kept) return this.#source.next();
    if ('error' in kept) throw kept.error;
    return { done: false, value: kept.value };
  }

  async #drain(): Promise<void> {
    while (this.#isEnding) {
      try {
        const step = await this.#source.next();
        if (step.done) return;
        this.#kept.push({ value: step.value });
      } catch (error) {
        this.#kept.push({ error });
        return;
      }
    }
  }
}

/** Calls `act` when the signal fires. @returns what takes that back */
export function onAbort(signal: AbortSignal | undefined, act: () => void): () => void {
  signal?.addEventListener('abort', act, { once: true });
  return () => signal?.removeEventListener('abort', act);
}
