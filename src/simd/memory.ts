/** A WebAssembly memory with the kernels' instance over it, and who has which bytes. */
import { AtomoeError, invariant } from '../errors.ts';
import type { Address, SimdKernels } from './kernels.ts';
import type { ThreadPool } from './thread-pool.ts';

const PAGE_BYTES = 2 ** 16;
/** Largest size of a memory in pages of 64 KiB: 4 GiB, what addresses of 32 bits reach. */
export const MAX_PAGES = 2 ** 16;

/** The kernels' own tables are below this. */
const FIRST_BYTE = PAGE_BYTES;

/** Allocations begin on cache lines: no two threads write to one, and kernels read whole vectors. */
const ALIGNMENT = 64;

/** Bytes that one memory can hold. */
export const MOST_MEMORY_BYTES = MAX_PAGES * PAGE_BYTES - FIRST_BYTE - PAGE_BYTES;

/** A module of the kernels, and which build it is. */
export interface SimdModule {
  readonly module: WebAssembly.Module;
  readonly build: SimdBuild;
  /** What shares the work; the module is then built for shared memories. */
  readonly threads?: ThreadPool | undefined;
}

/** `relaxed` uses fused multiply-adds where the machine has them; results of the two differ in the last bits. */
export type SimdBuild = 'plain' | 'relaxed';

interface Block {
  readonly at: Address;
  readonly sizeBytes: number;
}

/**
 * Bytes are allocated and freed by the caller; freed ones are used again. The memory grows as needed and never shrinks:
 * it goes as a whole, when nothing refers to it any more.
 */
export class SimdMemory {
  readonly kernels: SimdKernels;
  readonly threads: ThreadPool | undefined;
  readonly #memory: WebAssembly.Memory;
  readonly #number: number; // among the threads' memories
  readonly #kernelNumbers: ReadonlyMap<string, number>;
  #end: number = FIRST_BYTE; // of what was ever allocated
  #free: Block[] = []; // by address, none beside another
  #views: Views | undefined;

  /** @throws {AtomoeError} out-of-memory */
  constructor({ module, threads }: SimdModule) {
    this.threads = threads;
    try {
      this.#memory = threads
        ? new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES, shared: true })
        : new WebAssembly.Memory({ initial: 1 });
    } catch (cause) {
      throw new AtomoeError(
        'out-of-memory',
        'the system refuses another WebAssembly memory; wanted one for weights or experts; close other pages, or choose a ' +
          'smaller model',
        { cause },
      );
    }
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    this.kernels = exports as unknown as SimdKernels;
    this.#kernelNumbers = new Map(Object.keys(exports).map((name, index) => [name, index]));
    this.#number = threads?.add(this.#memory) ?? 0;
  }

  /** How the threads know this memory and one of its kernels. */
  names(kernel: string): { readonly memory: number; readonly kernel: number } {
    const number = this.#kernelNumbers.get(kernel);
    invariant(number !== undefined, () => `no kernel ${kernel}`);
    return { memory: this.#number, kernel: number };
  }

  /** Lets the threads forget the memory; its holders have to as well. */
  dispose(): void {
    this.threads?.forget(this.#number);
  }

  /** What the system has given this memory. */
  get sizeBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Valid until the next `alloc`, which may move the memory. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#view().bytes;
  }

  /** Valid until the next `alloc`. */
  floats(at: Address, count: number): Float32Array<ArrayBuffer> {
    return this.#view().floats.subarray(at >>> 2, (at >>> 2) + count);
  }

  /** Valid until the next `alloc`. */
  words(at: Address, count: number): Uint32Array<ArrayBuffer> {
    return this.#view().words.subarray(at >>> 2, (at >>> 2) + count);
  }

  /**
   * Reserves bytes, from a multiple of 64 on. What they hold is undefined.
   *
   * @throws {AtomoeError} out-of-memory
   */
  alloc(sizeBytes: number): Address {
    const size = rounded(sizeBytes);
    // The smallest free block that holds it.
    let best: Block | undefined;
    for (const block of this.#free)
      if (block.sizeBytes >= size && (!best || block.sizeBytes < best.sizeBytes)) best = block;
    if (best) {
      const rest = { at: best.at + size, sizeBytes: best.sizeBytes - size };
      this.#free = this.#free.flatMap((block) =>
        block !== best ? [block] : rest.sizeBytes > 0 ? [rest] : [],
      );
      return best.at;
    }
    const at = this.#end;
    this.#growTo(at + size);
    this.#end = at + size;
    return at;
  }

  /** Gives bytes back that `alloc` gave for the same size. */
  free(at: Address, sizeBytes: number): void {
    const freed = { at, sizeBytes: rounded(sizeBytes) };
    const merged: Block[] = [];
    for (const block of [...this.#free, freed].sort((a, b) => a.at - b.at)) {
      const last = merged.at(-1);
      invariant(!last || last.at + last.sizeBytes <= block.at, () => `bytes at ${at} are freed twice`);
      if (last && last.at + last.sizeBytes === block.at) {
        merged[merged.length - 1] = { at: last.at, sizeBytes: last.sizeBytes + block.sizeBytes };
      } else merged.push(block);
    }
    this.#free = merged;
  }

  #growTo(endBytes: number): void {
    const missing = endBytes - this.sizeBytes;
    if (missing <= 0) return;
    const pages = Math.ceil(missing / PAGE_BYTES);
    try {
      if (endBytes > MAX_PAGES * PAGE_BYTES) throw new RangeError('more than 4 GiB');
      this.#memory.grow(pages);
    } catch (cause) {
      throw new AtomoeError(
        'out-of-memory',
        `WebAssembly memory cannot grow from ${this.sizeBytes} to ${endBytes} bytes; choose a smaller memoryBudget ` +
          'or contextTokens, quantize, or close other pages',
        { cause },
      );
    }
    this.#views = undefined;
  }

  #view(): Views {
    const { buffer } = this.#memory;
    if (this.#views?.bytes.buffer !== buffer) {
      // Shared or not: what is read of it is copied before it goes to what takes no shared memory.
      const own = buffer as ArrayBuffer;
      this.#views = {
        bytes: new Uint8Array(own),
        floats: new Float32Array(own),
        words: new Uint32Array(own),
      };
    }
    return this.#views;
  }
}

interface Views {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly floats: Float32Array<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
}

function rounded(sizeBytes: number): number {
  return Math.max(ALIGNMENT, Math.ceil(sizeBytes / ALIGNMENT) * ALIGNMENT);
}
