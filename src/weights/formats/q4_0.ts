/** Q4_0: blocks of 16 bytes and an f16 scale; w = scale * (q - 8). Byte j has weight j in its low nibble, j + 16 in its high one. */
import dot from '../../../shaders/lib/dot-q4_0.wgsl?raw';
import step from '../../../shaders/lib/step-q4_0.wgsl?raw';
import unpack from '../../../shaders/lib/weights-q4_0.wgsl?raw';
import { defineFormat } from '../format.ts';
import { f16ToF32 } from '../half.ts';
import { BLOCK, blockPlanes, blocksOf, emptyBlocks, repackGgml, scaleBits } from '../scaled-blocks.ts';

const HALF = BLOCK / 2;
const KIND = { name: 'q4_0', quantBytes: HALF } as const;

/** 4-bit blocks of 32 weights with an f16 scale (ggml's Q4_0). */
export const q4_0 = defineFormat({
  name: KIND.name,
  block: BLOCK,
  unit: 32,
  planes: (rows, cols) => blockPlanes(KIND, rows, cols),
  wgsl: { unpack, dot, step },
  simd: 4,
  decode,
  encode,
  repack: (...given) => repackGgml(KIND, ...given),
});

function decode(bytes: Uint8Array<ArrayBuffer>, rows: number, cols: number): Float32Array<ArrayBuffer> {
  const { quants, scales, count } = blocksOf(KIND, bytes, rows, cols);
  const values = new Float32Array(rows * cols);
  for (let block = 0; block < count; block++) {
    const scale = f16ToF32(scales[block] ?? 0);
    const first = block * BLOCK;
    for (let j = 0; j < HALF; j++) {
      const byte = quants[block * HALF + j] ?? 0;
      values[first + j] = scale * ((byte & 15) - 8);
      values[first + HALF + j] = scale * ((byte >> 4) - 8);
    }
  }
  return values;
}

/** The rule of ggml's reference: d = (x of the largest |x|) / -8, q = trunc(x / d + 8.5), at most 15. */
function encode(values: Float32Array, rows: number, cols: number): Uint8Array<ArrayBuffer> {
  const { bytes, quants, scales, count } = emptyBlocks(KIND, values.length, rows, cols);
  for (let block = 0; block < count; block++) {
    const first = block * BLOCK;
    let extreme = 0; // signed
    for (let i = first; i < first + BLOCK; i++) {
      const value = values[i] ?? 0;
      if (Math.abs(value) > Math.abs(extreme)) extreme = value;
    }
    const scale = Math.fround(extreme / -8);
    scales[block] = scaleBits(KIND, scale, block, cols);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    for (let j = 0; j < HALF; j++) {
      const low = nibble(values[first + j] ?? 0, inverse);
      const high = nibble(values[first + HALF + j] ?? 0, inverse);
      quants[block * HALF + j] = low | (high << 4);
    }
  }
  return bytes;
}

/** A quant 0..15, for -8..7 times the scale. Each operation is rounded to f32, as in ggml's reference. */
function nibble(value: number, inverse: number): number {
  return Math.min(15, Math.trunc(Math.fround(Math.fround(value * inverse) + 8.5)));
}
