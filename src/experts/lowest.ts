/** The lowest of many scores and what they belong to, in ascending order. Allocates nothing after construction. */
export class Lowest {
  readonly #items: Int32Array;
  readonly #scores: Float64Array;
  #limit = 0;
  #count = 0;

  constructor(capacity: number) {
    this.#items = new Int32Array(capacity);
    this.#scores = new Float64Array(capacity);
  }

  /** How many there are: at most the limit. */
  get count(): number {
    return this.#count;
  }

  /** Starts anew. At most `limit` items are kept, and never more than the capacity. */
  begin(limit: number): void {
    this.#limit = Math.min(limit, this.#items.length);
    this.#count = 0;
  }

  /** Takes the item in if its score is among the lowest; of equal ones, the first to be offered is lower. */
  offer(item: number, score: number): void {
    if (this.#count < this.#limit) this.#count += 1;
    else if (this.#limit === 0 || score >= (this.#scores[this.#count - 1] ?? 0)) return;
    let at = this.#count - 1;
    for (; at > 0 && (this.#scores[at - 1] ?? 0) > score; at -= 1) {
      this.#scores[at] = this.#scores[at - 1] ?? 0;
      this.#items[at] = this.#items[at - 1] ?? 0;
    }
    this.#scores[at] = score;
    this.#items[at] = item;
  }

  /** @param rank - 0 is the lowest; below `count` */
  item(rank: number): number {
    return this.#items[rank] ?? 0;
  }
}
