import dot from '../../../shaders/lib/dot-bf16.wgsl?raw';
import step from '../../../shaders/lib/step-bf16.wgsl?raw';
import unpack from '../../../shaders/lib/weights-bf16.wgsl?raw';
import { floatPlanes, halves } from '../floats.ts';
import { defineFormat } from '../format.ts';
import { bf16ArrayToF32, f32ArrayToBf16 } from '../half.ts';

/** bfloat16: the upper half of f32. Conversion to f32 is exact. */
export const bf16 = defineFormat({
  name: 'bf16',
  block: 8,
  unit: 8,
  storedAs: 'BF16',
  planes: (rows, cols) => floatPlanes(2, rows, cols),
  wgsl: { unpack, dot, step },
  simd: 2,
  decode: (bytes, rows, cols) => bf16ArrayToF32(halves(bytes, rows * cols)),
  encode(values) {
    const bits = f32ArrayToBf16(values);
    return new Uint8Array(bits.buffer);
  },
});
