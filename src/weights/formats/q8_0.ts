/** Q8_0: blocks of 32 signed bytes and an f16 scale; w = scale * q. */
import dot from '../../../shaders/lib/dot-q8_0.wgsl?raw';
import step from '../../../shaders/lib/step-q8_0.wgsl?raw';
import unpack from '../../../shaders/lib/weights-q8_0.wgsl?raw';
import { defineFormat } from '../format.ts';
import { f16ToF32 } from '../half.ts';
import { BLOCK, blockPlanes, blocksOf, emptyBlocks, repackGgml, scaleBits } from '../scaled-blocks.ts';

const KIND = { name: 'q8_0', quantBytes: 32 } as const;

/** 8-bit blocks of 32 weights with an f16 scale (ggml's Q8_0). */
export const q8_0 = defineFormat({
  name: KIND.name,
  block: BLOCK,
  unit: 16,
  planes: (rows, cols) => blockPlanes(KIND, rows, cols),
  wgsl: { unpack, dot, step },
  simd: 3,
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
    for (let i = first; i < first + BLOCK; i++) {
      values[i] = scale * (((quants[i] ?? 0) << 24) >> 24); // sign-extends
    }
  }
  return values;
}

/** The rule of ggml's reference: d = max |x| / 127, q = round(x / d). */
function encode(values: Float32Array, rows: number, cols: number): Uint8Array<ArrayBuffer> {
  const { bytes, quants, scales, count } = emptyBlocks(KIND, values.length, rows, cols);
  const signed = new Int8Array(quants.buffer, quants.byteOffset, quants.byteLength);
  for (let block = 0; block < count; block++) {
    const first = block * BLOCK;
    let largest = 0;
    for (let i = first; i < first + BLOCK; i++) {
      const size = Math.abs(values[i] ?? 0);
      if (size > largest) largest = size;
    }
    const scale = Math.fround(largest / 127);
    scales[block] = scaleBits(KIND, scale, block, cols);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    for (let i = first; i < first + BLOCK; i++) {
      const steps = Math.fround((values[i] ?? 0) * inverse);
      // Rounds half away from zero, as C's roundf: the sum is exact in f64, and storing it drops the fraction.
      signed[i] = steps < 0 ? steps - 0.5 : steps + 0.5;
    }
  }
  return bytes;
}
