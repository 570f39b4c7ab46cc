/** Kernels of each build in a memory of their own, for tests in Node and in browsers. */
import { randomStream } from '../kernels/testing.ts';
import { weightFormat, type FormatName } from '../weights/formats/index.ts';
import { randomGgml } from '../weights/ggml-blocks.testing.ts';
import { SCRATCH_BYTES, type Address, type FormatCode, type SimdKernels } from './kernels.ts';
import { SimdMemory } from './memory.ts';

const NAMES = ['plain', 'relaxed'] as const;

async function bytesOf(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const url = new URL(`../../simd/built/${name}.wasm`, import.meta.url);
  if (url.protocol !== 'file:') return (await fetch(url)).bytes();
  const { readFile } = await import('node:fs/promises');
  return new Uint8Array(await readFile(url));
}

const modules = new Map<string, WebAssembly.Module>();
for (const name of NAMES) {
  const bytes = await bytesOf(name);
  if (WebAssembly.validate(bytes)) modules.set(name, new WebAssembly.Module(bytes));
}

/** The builds that this engine accepts: Node 20 has no relaxed SIMD. */
export const BUILDS = NAMES.filter((name) => modules.has(name));

/** What no kernel computes from the inputs of these tests. */
export const POISON = 7.25e30;

/** A matrix in memory, as kernels take it, and the values that they are to see. */
export interface PlacedMatrix {
  readonly format: FormatCode;
  readonly w: Address;
  readonly s: Address;
  readonly values: Float32Array;
}

/** A memory to which inputs are copied, with room for outputs. */
export class Bench {
  readonly memory: SimdMemory;
  readonly kernels: SimdKernels;
  #matrices = 0;
  readonly #outputs = new Map<Address, number>();

  constructor(name: (typeof NAMES)[number]) {
    this.memory = new SimdMemory({ module: modules.get(name)!, build: name });
    this.kernels = this.memory.kernels;
  }

  put(values: Float32Array | Uint32Array | Uint8Array): Address {
    const at = this.memory.alloc(values.byteLength);
    this.memory.bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    return at;
  }

  /** In a format that nothing is encoded as: other values, not the same twice. */
  matrix(format: FormatName, values: Float32Array<ArrayBuffer>, rows: number, cols: number): PlacedMatrix {
    const { simd, encode, decode, planes } = weightFormat(format);
    const bytes = encode
      ? encode(values, rows, cols)
      : randomGgml(format, rows, cols, randomStream(values.length + this.#matrices));
    this.#matrices += 1;
    const w = this.put(bytes);
    const scales = planes(rows, cols)[1];
    return { format: simd!, w, s: scales ? w + scales.offsetBytes : 0, values: decode(bytes, rows, cols) };
  }

  /** Room for `count` f32 or u32, poisoned, and a guard behind it. */
  room(count: number): Address {
    const at = this.memory.alloc(4 * count + 64);
    this.#outputs.set(at, count);
    this.memory.floats(at, count + 16).fill(POISON);
    return at;
  }

  scratch(bytes = SCRATCH_BYTES): Address {
    return this.put(new Uint8Array(bytes).fill(0xa5));
  }

  /** What a kernel wrote to a room. */
  floats(at: Address): Float32Array<ArrayBuffer> {
    const count = this.#outputs.get(at)!;
    const guard = this.memory.floats(at, count + 16).subarray(count);
    if (guard.some((value) => value !== Math.fround(POISON))) throw new Error('wrote behind an output');
    return this.memory.floats(at, count).slice();
  }

  words(at: Address): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.floats(at).buffer);
  }
}

/**
 * The largest difference from the reference, in units of the reference's root mean square or of 1 where that is less. No
 * number where an output is none.
 */
export function error(actual: Float32Array, wanted: Float32Array): number {
  let worst = 0;
  let squares = 0;
  for (const [i, value] of wanted.entries()) {
    const difference = Math.abs(actual[i]! - value);
    worst = difference > worst || Number.isNaN(difference) ? difference : worst;
    squares += value * value;
  }
  return worst / Math.max(1, Math.sqrt(squares / wanted.length));
}
