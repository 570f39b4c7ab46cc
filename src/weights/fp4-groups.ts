/**
 * Shared by formats of NVFP4's weights: floats of 4 bits (E2M1), an unsigned float of 8 bits (E4M3) as the scale of each 16, and
 * a f32 factor of all; w = scale * factor * value, or scale / divisor * value, which some tools store. A matrix has two planes: units as of
 * src/weights/coded-blocks.ts, and for each 64 weights a word of factor and one of four scales, 5 bits a weight in all. A negative
 * factor stands for a divisor, since f32 has not the reciprocals of all. Factors are kept for each 64 and not for a matrix, because
 * matrices are stacked, and read in pieces. shaders/lib/side-fp4.wgsl reads the same.
 */
import codes from '../../shaders/lib/codes-mxfp4.wgsl?raw';
import side from '../../shaders/lib/side-fp4.wgsl?raw';
import { codedFormat, readNibbles, type CodedMatrix } from './coded-blocks.ts';
import type { WeightFormat } from './format.ts';
import { f8ToF32 } from './half.ts';

/** Bytes of a block without a factor: four scales, then four times eight bytes, whose byte j has weights j and j + 8. */
const SCALE_BYTES = 4;
const NIBBLES = 0x0f0f0f0f;
const ZERO = 16;
/** Twice the values of q, plus ZERO. */
const TABLE = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12].map((value) => value + ZERO);

/** The bits of the factor 1. */
const ONE = 0x3f800000;
/** E4M3's code of a NaN, which ggml reads as 0. */
const NAN_SCALE = 0x7f;

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/**
 * A format of this kind.
 *
 * @param hasFactor - whether blocks begin with a factor; without, it is 1, and scales are those of ggml
 */
export function fp4Format(name: string, hasFactor: boolean): WeightFormat {
  const scalesAt = hasFactor ? 4 : 0;
  return codedFormat({
    name,
    block: 64,
    blockBytes: scalesAt + 36,
    side: { blocks: 1, words: 2 },
    zero: ZERO,
    wgsl: { 'codes-mxfp4': codes, 'side-fp4': side },
    simd: 22,
    repack(source, from, to, block) {
      const scales = source.getUint32(from + scalesAt, true);
      to.sides[2 * block] = hasFactor ? source.getUint32(from, true) : ONE;
      to.sides[2 * block + 1] = hasFactor ? scales : asGgmlReads(scales);
      const at = from + scalesAt + SCALE_BYTES;
      for (let half = 0; half < 2; half += 1) pairGroups(source, at + 16 * half, to, 2 * block + half);
    },
    read(from, unit, to) {
      readNibbles(from, unit, to.codes);
      for (const [i, code] of to.codes.entries()) to.codes[i] = TABLE[code] ?? 0;
      const at = 2 * (unit >> 1);
      word[0] = from.sides[at] ?? 0;
      const factor = float[0] ?? 0;
      const pair = (from.sides[at + 1] ?? 0) >>> (16 * (unit & 1));
      for (let half = 0; half < 2; half += 1) {
        const scale = f8ToF32((pair >>> (8 * half)) & 0x7f);
        // As tools round it: before they multiply. The table has twice the values.
        to.scales[half] = Math.fround(factor < 0 ? scale / -factor : scale * factor) / 2;
      }
    },
  });
}

/** Four scales without signs, and 0 for a NaN. */
function asGgmlReads(scales: number): number {
  let read = 0;
  for (let shift = 0; shift < 32; shift += 8) {
    const scale = (scales >>> shift) & 0x7f;
    if (scale !== NAN_SCALE) read |= scale << shift;
  }
  return read;
}

/** Two groups of 16 weights, eight bytes each, as a unit of 32. */
function pairGroups(source: DataView, from: number, { units }: CodedMatrix, unit: number): void {
  for (let k = 0; k < 2; k += 1) {
    const first = source.getUint32(from + 4 * k, true);
    const last = source.getUint32(from + 8 + 4 * k, true);
    units[4 * unit + k] = (first & NIBBLES) | ((last & NIBBLES) << 4);
    units[4 * unit + 2 + k] = ((first >>> 4) & NIBBLES) | (last & ~NIBBLES);
  }
}
