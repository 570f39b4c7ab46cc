/** Brings a model into WebAssembly memory: dense weights beside activations and states, experts in memories of their own. */
import { invariant } from '../../errors.ts';
import type { Graph } from '../../graph/node.ts';
import type { Weight } from '../../graph/tensor.ts';
import { MOST_MEMORY_BYTES, SimdMemory, type SimdModule } from '../../simd/memory.ts';
import type { SimdWeight } from '../../simd/run.ts';
import { giveMemory } from '../../io/spare-memory.ts';
import { boundBytes } from '../../weights/matrix.ts';
import { densePartsOf, placed, readWeights, type DensePiece, type ReadContext } from './weights.ts';

/** Weights beyond this go to further memories: the rest of the first is for activations and KV caches. */
const MOST_WEIGHT_BYTES = MOST_MEMORY_BYTES / 2;

/** The memories that hold dense weights; the first holds activations and states, too. */
export class DenseWeights {
  readonly main: SimdMemory;
  readonly #module: SimdModule;
  readonly #memories: SimdMemory[];
  readonly #weights = new Map<string, SimdWeight>();
  readonly #mostBytes: number;
  #mainBytes = 0;

  /** @param mostBytes - of weights in the first memory */
  constructor(module: SimdModule, mostBytes = MOST_WEIGHT_BYTES) {
    this.#module = module;
    this.#mostBytes = mostBytes;
    this.main = new SimdMemory(module);
    this.#memories = [this.main];
  }

  get memories(): readonly SimdMemory[] {
    return this.#memories;
  }

  /** What the system has given the memories. */
  get sizeBytes(): number {
    return this.#memories.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  get(weight: Weight): SimdWeight {
    const found = this.#weights.get(weight.name);
    invariant(found, () => `weight ${weight.name} was not loaded`);
    return found;
  }

  /** @throws {AtomoeError} bad-file; non-finite; out-of-memory; network and the like */
  async read(
    graph: Pick<Graph, 'weights'>,
    context: ReadContext,
    advance: (bytes: number) => void,
  ): Promise<void> {
    for await (const [piece, bytes] of readWeights(graph, context)) {
      const { weight } = piece;
      const { memory, at } = this.#placeFor(piece, context);
      for (const { offsetBytes, bytes: some } of placed(piece, bytes))
        memory.bytes.set(some, at + offsetBytes);
      if (weight.source.kind === 'checkpoint') giveMemory(bytes);
      advance(weight.source.kind === 'computed' ? 0 : bytes.byteLength);
    }
  }

  /** Memory for the part of a piece, which its first rows bring about. */
  #placeFor({ weight, part, slice }: DensePiece, context: ReadContext): { memory: SimdMemory; at: number } {
    const { memory = this.#memoryFor(weight, context), parts = [] } = this.#weights.get(weight.name) ?? {};
    const last = parts.at(-1);
    if (slice.firstRow > 0 && last) return { memory, at: last.at };
    const { firstRow, rows, format, scalesOffsetBytes, sizeBytes } = part;
    const at = memory.alloc(boundBytes(sizeBytes));
    const scalesAt = scalesOffsetBytes === 0 ? 0 : at + scalesOffsetBytes;
    this.#weights.set(weight.name, { memory, parts: [...parts, { firstRow, rows, format, at, scalesAt }] });
    return { memory, at };
  }

  /** All parts of a weight are in one memory. */
  #memoryFor(weight: Weight, context: ReadContext): SimdMemory {
    if (weight.exact) return this.main;
    const parts = densePartsOf(weight, context);
    return this.#withRoom(parts.reduce((sum, { sizeBytes }) => sum + boundBytes(sizeBytes), 0));
  }

  #withRoom(sizeBytes: number): SimdMemory {
    if (this.#mainBytes + sizeBytes <= this.#mostBytes) {
      this.#mainBytes += sizeBytes;
      return this.main;
    }
    const last = this.#memories.at(-1);
    if (last && last !== this.main && last.sizeBytes + sizeBytes <= 2 * this.#mostBytes) return last;
    const memory = new SimdMemory(this.#module);
    this.#memories.push(memory);
    return memory;
  }
}
