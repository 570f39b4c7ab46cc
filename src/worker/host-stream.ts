/** Flow control of one stream on the worker's side: credits bound what is on its way, batches bound the messages. */

/** Counts how many more events the page will take. */
export class CreditWindow {
  #credits: number;
  #wake: (() => void) | undefined;
  #isOpen = true;

  constructor(credits: number) {
    this.#credits = credits;
  }

  /** Waits until an event may be sent, or the window was released. */
  async take(): Promise<void> {
    while (this.#isOpen && this.#credits === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#isOpen) this.#credits--;
  }

  add(count: number): void {
    this.#credits += count;
    this.#wake?.();
  }

  /** Stops counting: the stream is ending and nothing should wait on a reader that has left. */
  release(): void {
    this.#isOpen = false;
    this.#wake?.();
  }
}

/** Gathers items and sends them once per macrotask, in order. */
export class Batch<T> {
  readonly #send: (items: T[]) => void;
  #items: T[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(send: (items: T[]) => void) {
    this.#send = send;
  }

  push(item: T): void {
    this.#items.push(item);
    this.#timer ??= setTimeout(() => this.flush(), 0);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#items.length === 0) return;
    const items = this.#items;
    this.#items = [];
    this.#send(items);
  }
}
