import { invariant } from '../../errors.ts';
import type { Parity } from '../../graph/node.ts';
import type { Tensor } from '../../graph/tensor.ts';

/** How far one session's states are, and how they go back. */
export class Progress {
  /** States that a step replaces as a whole: they cannot be cut back. */
  readonly replaced: readonly Tensor[];
  #tokens = 0; // whose steps are done
  #parity: Parity = 0;

  /** @param tensors - of the model's graph */
  constructor(tensors: readonly Tensor[]) {
    this.replaced = tensors.filter(({ next }) => next);
  }

  /** Which buffers of replaced states hold the old ones. */
  get parity(): Parity {
    return this.#parity;
  }

  /** Has come as far as another, whose states were copied. */
  copy(from: Progress): void {
    this.#tokens = from.#tokens;
  }

  /** Has come as far as this, by states that were taken over. */
  reach(tokens: number): void {
    this.#tokens = tokens;
  }

  /** Before a step behind `past` tokens. */
  begin(past: number): void {
    const isHere = this.replaced.length === 0 || past === this.#tokens;
    invariant(
      isHere,
      () => `a step behind ${past} tokens, the states are behind ${this.#tokens}; call rewindTo`,
    );
    this.#tokens = Math.min(past, this.#tokens);
  }

  /** The step is done: what it wrote of replaced states is what the next one reads. */
  commit(past: number, tokens: number): void {
    this.#tokens = past + tokens;
    if (this.replaced.length > 0) this.#parity = this.#parity === 0 ? 1 : 0;
  }

  /**
   * Goes back as far as is needed and possible.
   *
   * @returns where the next step begins: at most `past`; 0 where states have to begin anew, which `clear` does
   */
  rewindTo(past: number, clear: () => void): number {
    if (past < this.#tokens && this.replaced.length > 0) {
      clear();
      this.#tokens = 0;
    }
    this.#tokens = Math.min(past, this.#tokens);
    return this.#tokens;
  }
}
