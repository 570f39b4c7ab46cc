import type { SlotStore } from '../../experts/slot-store.ts';

/** The units (experts, or pages of atomic ones) that tokens chose. */
export class ChosenUnits {
  /** What `of` found last. */
  readonly list: Uint32Array<ArrayBuffer>;
  readonly #store: Pick<SlotStore, 'units' | 'unitsPerLayer'>;
  readonly #unitExperts: readonly number[];
  readonly #isUsed: Uint8Array;

  /**
   * @param unitExperts - [layer]: experts of a unit: 1, or those of a page
   * @param topK - experts of one token at most
   */
  constructor(
    store: Pick<SlotStore, 'units' | 'unitsPerLayer'>,
    unitExperts: readonly number[],
    topK: number,
  ) {
    this.#store = store;
    this.#unitExperts = unitExperts;
    this.list = new Uint32Array(topK);
    this.#isUsed = new Uint8Array(store.unitsPerLayer);
  }

  /** Units of the experts `words[from..from + topK)`, each once, in rank order, into `list`. @returns how many */
  of(layer: number, words: ArrayLike<number>, from: number, topK: number): number {
    const most = this.#store.units(layer);
    const { list } = this;
    let count = 0;
    for (let rank = 0; rank < topK; rank += 1) {
      const unit = this.unitOf(layer, words[from + rank] ?? 0);
      if (unit >= most || this.#isUsed[unit]) continue;
      this.#isUsed[unit] = 1;
      list[count] = unit;
      count += 1;
    }
    for (let index = 0; index < count; index += 1) this.#isUsed[list[index] ?? 0] = 0;
    return count;
  }

  /** The unit that an expert is in; what is no expert gives a number that no unit has. */
  unitOf(layer: number, expert: number): number {
    return Math.floor(expert / (this.#unitExperts[layer] ?? 1));
  }

  /** How many of the tokens use each unit: [units]. `ids` is [tokens, topK]. */
  uses(layer: number, ids: Uint32Array, tokens: number): Uint32Array<ArrayBuffer> {
    const uses = new Uint32Array(this.#store.units(layer));
    const topK = ids.length / tokens;
    for (let token = 0; token < tokens; token += 1) {
      const count = this.of(layer, ids, token * topK, topK);
      for (let index = 0; index < count; index += 1) {
        const unit = this.list[index] ?? 0;
        uses[unit] = (uses[unit] ?? 0) + 1;
      }
    }
    return uses;
  }
}
