/** Random weight matrices in every format, for kernel tests. The format's `decode` defines their values. */
import { weightFormat, type FormatName } from '../weights/formats/index.ts';
import { randomGgml } from '../weights/ggml-blocks.testing.ts';
import { isQuick, quickly, randomNormal, randomStream } from './testing.ts';
import type { Variant } from './kernel.ts';
import { inFormat } from './weights.ts';

/** The kernel with every form in one format, of which it lists only some. */
export function withFormat<
  V extends { readonly format: FormatName },
  K extends { readonly variants: readonly V[] },
>(
  kernel: K & { readonly variants: readonly V[] },
  format: FormatName,
): K & { readonly variants: readonly V[] } {
  return { ...kernel, variants: inFormat<V>(kernel, format) };
}

/**
 * As `quickly`, and in `npm test` without the formats of files, for kernels that read weights by the same code as another one
 * whose test runs these.
 */
export function quicklyEncoded<V extends Variant & { readonly format: FormatName }>(
  variants: readonly V[],
): readonly V[] {
  const isEncoded = ({ format }: V) => weightFormat(format).encode !== undefined;
  return isQuick ? quickly(variants.filter(isEncoded)) : variants;
}

/** The number of columns, rounded up to whole blocks of a format. */
export function wholeBlocks(format: FormatName, cols: number): number {
  const { block } = weightFormat(format);
  return Math.ceil(cols / block) * block;
}

export interface TestWeights {
  readonly words: Uint32Array<ArrayBuffer>; // contents of the binding
  readonly scales: number; // parameter: first word of the scales
  readonly values: Float32Array<ArrayBuffer>; // [rows, cols] expected decoded values
}

/** In formats with scales, quants are random bits and some scales are negative, as in ggml files. */
export function testWeights(name: FormatName, rows: number, cols: number, seed: number): TestWeights {
  const { encode, decode, planes, block, wgsl } = weightFormat(name);
  const [quants, scales] = planes(rows, cols);
  // Random quants give larger values than encoded ones.
  const encoded =
    encode?.(randomNormal(rows * cols, seed, scales ? 0.16 : 0.5), rows, cols) ??
    randomGgml(name, rows, cols, randomStream(seed));
  const words = new Uint32Array(4 * Math.ceil(encoded.byteLength / 16)); // bindings are whole vec4s
  const bytes = new Uint8Array(words.buffer, 0, encoded.byteLength);
  bytes.set(encoded);
  if (encode && quants && scales && !wgsl.sided) {
    const next = randomStream(seed);
    for (let i = 0; i < quants.sizeBytes; i += 1) bytes[i] = 256 * next();
    const scaleBytes = Math.floor(scales.sizeBytes / Math.ceil((rows * cols) / block));
    for (let i = scaleBytes - 1; i < scales.sizeBytes; i += scaleBytes) {
      const at = scales.offsetBytes + i;
      bytes[at] = (bytes[at] ?? 0) ^ (next() < 0.3 ? 0x80 : 0); // the sign
    }
  }
  return { words, scales: (scales?.offsetBytes ?? 0) / 4, values: decode(bytes, rows, cols) };
}
