import type { Address } from './kernels.ts';
import type { SimdMemory } from './memory.ts';

interface Block {
  readonly at: Address;
  readonly sizeBytes: number;
  used: number;
}

/** Blocks are at least so large, so that few of them serve all ops. */
const LEAST_BYTES = 2 ** 20;

const ALIGNMENT = 64;

/** Memory of one op, used again by the next. */
export class Scratch {
  readonly #blocks = new Map<SimdMemory, Block[]>();

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

  /** Forgets the blocks of all memories but these: the others are given up. */
  keepOnly(memories: readonly SimdMemory[]): void {
    for (const memory of this.#blocks.keys()) if (!memories.includes(memory)) this.#blocks.delete(memory);
  }
}
