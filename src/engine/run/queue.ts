/** Runs jobs one after another, in the order of asking: sessions of one engine take turns token by token. */
export class JobQueue {
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #idleSinceMs = 0;

  /** How long nothing has been running or waiting. */
  get idleMs(): number {
    return this.#waiting > 0 ? 0 : performance.now() - this.#idleSinceMs;
  }

  /** @param isBackground - no caller waits for it, so it does not count as activity */
  run<T>(job: () => Promise<T>, { isBackground = false } = {}): Promise<T> {
    if (!isBackground) this.#waiting += 1;
    const result = this.#tail.then(job, job);
    this.#tail = result
      .catch(() => {})
      .finally(() => {
        if (isBackground) return;
        this.#waiting -= 1;
        this.#idleSinceMs = performance.now();
      });
    return result;
  }
}
