/** How far back an estimate looks: a line that has become slower is believed soon. */
const WINDOW_MS = 4000;
/** Too short a time says nothing. */
const LEAST_MS = 200;

/** The rate at which bytes came in the last seconds. */
export class ByteRate {
  readonly #now: () => number;
  readonly #samples: { bytes: number; atMs: number }[] = [];

  /** @param now - milliseconds from any origin */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * @param doneBytes - all that has come so far
   * @returns bytes per second; undefined while it is too early to say
   */
  hear(doneBytes: number): number | undefined {
    const atMs = this.#now();
    this.#samples.push({ bytes: doneBytes, atMs });
    while ((this.#samples[1]?.atMs ?? atMs) < atMs - WINDOW_MS) this.#samples.shift();
    const [first] = this.#samples;
    if (!first || atMs - first.atMs < LEAST_MS) return undefined;
    return ((doneBytes - first.bytes) / (atMs - first.atMs)) * 1000;
  }
}
