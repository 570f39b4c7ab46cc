import type { Address } from './kernels.ts';
import type { SimdMemory } from './memory.ts';

interface Block {
  readonly at: Address;
  readonly sizeBytes: number;
  used: number;
}

/** Blocks are at least so large, so that few of them serve all ops. */
const LEAST_BYTES = 2 ** 17;

const ALIGNMENT = 64;

/** Memory of one op, used again by the next. */
export class Scratch {
  readonly #blocks = new Map<SimdMemory, Block[]>();
  readonly #ofKernels = new Map<SimdMemory, Block>();

  /** What was taken before is free again. */
  reset(): void {
    for (const blocks of this.#blocks.values()) for (const block of blocks) block.used = 0;
  }

  /** @throws {AtomoeError} out-of-memory */
  take(memory: SimdMemory, sizeBytes: number): Address {
    const size = Math.ceil(sizeBytes / ALIGNMENT) * ALIGNMENT;
    const blocks = this.#blocks.get(memory) ?? [];
    let block = blocks.find((each) => each.sizeBytes - each.used >= size);
    if (!block) {
      const sizeOfBlock = Math.max(size, LEAST_BYTES);
      block = { at: memory.alloc(sizeOfBlock), sizeBytes: sizeOfBlock, used: 0 };
      this.#blocks.set(memory, [...blocks, block]);
    }
    const at = block.at + block.used;
    block.used += size;
    return at;
  }

  /**
   * What one kernel call uses for itself: calls follow one another, so that all of a memory share it. An op may make
   * hundreds of calls, one for each expert.
   *
   * @throws {AtomoeError} out-of-memory
   */
  ofKernel(memory: SimdMemory, sizeBytes: number): Address {
    const held = this.#ofKernels.get(memory);
    if (held && held.sizeBytes >= sizeBytes) return held.at;
    if (held) memory.free(held.at, held.sizeBytes);
    this.#ofKernels.delete(memory);
    const block = { at: memory.alloc(sizeBytes), sizeBytes, used: 0 };
    this.#ofKernels.set(memory, block);
    return block.at;
  }

  /** Forgets the blocks of all memories but these: the others are given up. */
  keepOnly(memories: readonly SimdMemory[]): void {
    for (const blocks of [this.#blocks, this.#ofKernels])
      for (const memory of blocks.keys()) if (!memories.includes(memory)) blocks.delete(memory);
  }
}
