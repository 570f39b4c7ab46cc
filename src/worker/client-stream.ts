/** One stream as the page sees it: events wait here until the reader takes them, and every taken event is a credit. */

/** How a stream ended. */
export type Ending = { readonly kind: 'ended' } | { readonly kind: 'failed'; readonly error: unknown };

/** The reader's end of a stream of `T`. */
export class Inbox<T> {
  readonly #giveCredit: (count: number) => void;
  readonly #creditEvery: number;
  #items: T[] = [];
  #head = 0;
  #taken = 0;
  #ending: Ending | undefined;
  #wake: (() => void) | undefined;
  readonly started: Promise<void>; // rejects with what stopped the stream before it began
  #resolveStarted: () => void = () => {};
  #rejectStarted: (reason: unknown) => void = () => {};

  /** @param creditEvery events taken between two credits, so that credits are few messages */
  constructor(creditEvery: number, giveCredit: (count: number) => void) {
    this.#creditEvery = creditEvery;
    this.#giveCredit = giveCredit;
    this.started = new Promise((resolve, reject) => {
      this.#resolveStarted = resolve;
      this.#rejectStarted = reject;
    });
    this.started.catch(() => {}); // a reader that only iterates meets the same error there
  }

  get hasEnded(): boolean {
    return this.#ending !== undefined;
  }

  start(): void {
    this.#resolveStarted();
  }

  push(items: readonly T[]): void {
    this.#items.push(...items);
    this.#wake?.();
  }

  end(ending: Ending): void {
    this.#ending ??= ending;
    if (ending.kind === 'failed') this.#rejectStarted(ending.error);
    else this.#resolveStarted();
    this.#wake?.();
  }

  /** The next event, or `undefined` after the last one. Throws what ended the stream badly. */
  async take(): Promise<T | undefined> {
    while (this.#head === this.#items.length) {
      if (this.#ending?.kind === 'failed') throw this.#ending.error;
      if (this.#ending) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const item = this.#items[this.#head++];
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    }
    if (++this.#taken % this.#creditEvery === 0 && !this.#ending) this.#giveCredit(this.#creditEvery);
    return item;
  }

  /** Waits for the end and drops what comes before it. */
  async drain(): Promise<void> {
    while (!this.#ending) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}
