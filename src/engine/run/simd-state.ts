import { invariant } from '../../errors.ts';
import { tensorSizeBytes } from '../../graph/liveness.ts';
import type { ModelGraph } from '../../graph/node.ts';
import { nextOf } from '../../graph/tensor.ts';
import type { SimdExecutor } from '../../simd/executor.ts';
import type { Address } from '../../simd/kernels.ts';
import type { SimdMemory } from '../../simd/memory.ts';
import { Progress } from './progress.ts';
import type { RunnerState } from './runner.ts';

/** A step that was run. */
interface SimdStep {
  readonly executor: SimdExecutor<ModelGraph>;
  readonly tokens: number;
}

/** One session's states: their places in the main memory. */
export class SimdState implements RunnerState {
  readonly places = new Map<string, Address>();
  readonly progress: Progress;
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #memory: SimdMemory;
  readonly #onDispose: (state: SimdState) => void;
  last: SimdStep | undefined;
  hasHooks = false;
  #isDisposed = false;

  /** @throws {AtomoeError} out-of-memory */
  constructor(graph: ModelGraph, memory: SimdMemory, onDispose: (state: SimdState) => void) {
    this.progress = new Progress(graph.tensors);
    this.#memory = memory;
    this.#onDispose = onDispose;
    const states = graph.tensors.filter(({ role }) => role === 'state');
    this.#sizes = new Map(states.map((tensor) => [tensor.name, tensorSizeBytes(tensor, 0, 'f32')]));
    try {
      for (const [name, sizeBytes] of this.#sizes) this.places.set(name, memory.alloc(sizeBytes));
    } catch (error) {
      this.#free();
      throw error;
    }
    this.clear(this.#sizes.keys());
  }

  get sizeBytes(): number {
    return [...this.#sizes.values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0);
  }

  /** Sets states to zero. */
  clear(names: Iterable<string>): void {
    for (const name of names) {
      const at = this.at(name);
      this.#memory.bytes.fill(0, at, at + (this.#sizes.get(name) ?? 0));
    }
  }

  at(name: string): Address {
    const at = this.places.get(name);
    invariant(at !== undefined, () => `no state ${name}`);
    return at;
  }

  /** Takes over all that another session has. */
  copy(from: SimdState): void {
    for (const [name, sizeBytes] of this.#sizes) {
      const at = from.at(name);
      this.#memory.bytes.copyWithin(this.at(name), at, at + sizeBytes);
    }
    this.progress.copy(from.progress);
  }

  /** What a step wrote of replaced states is what the next one reads. */
  swap(): void {
    for (const tensor of this.progress.replaced) {
      const { name } = nextOf(tensor);
      const [old, next] = [this.at(tensor.name), this.at(name)];
      this.places.set(tensor.name, next);
      this.places.set(name, old);
    }
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#free();
    this.#onDispose(this);
  }

  #free(): void {
    for (const [name, at] of this.places) this.#memory.free(at, this.#sizes.get(name) ?? 0);
    this.places.clear();
  }
}
