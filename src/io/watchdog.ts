/** A trickle counts as silence: less than this in a stall's time (30 s) is half a kilobyte a second. */
const LEAST_BYTES = 16 * 1024;

/** Aborts a request when the caller does, or when next to nothing has come for a while. */
export class Watchdog {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #timeoutMs: number;
  readonly #onAbort = () => this.#controller.abort(this.#outer?.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #countedBytes = 0; // when the time began to run
  #hasStalled = false;

  constructor(outer: AbortSignal | undefined, timeoutMs: number) {
    this.#outer = outer;
    this.#timeoutMs = timeoutMs;
    outer?.addEventListener('abort', this.#onAbort, { once: true });
    this.restart();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get hasStalled(): boolean {
    return this.#hasStalled;
  }

  /** This many bytes of the body have come. */
  advance(doneBytes: number): void {
    if (doneBytes - this.#countedBytes < LEAST_BYTES) return;
    this.#countedBytes = doneBytes;
    this.restart();
  }

  /** The time begins anew. */
  restart(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#hasStalled = true;
      this.#controller.abort(new Error(`less than ${LEAST_BYTES} bytes in ${this.#timeoutMs} ms`));
    }, this.#timeoutMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#onAbort);
  }
}
