import dot from '../../../shaders/lib/dot-f16.wgsl?raw';
import step from '../../../shaders/lib/step-f16.wgsl?raw';
import unpack from '../../../shaders/lib/weights-f16.wgsl?raw';
import { floatPlanes, halves } from '../floats.ts';
import { defineFormat } from '../format.ts';
import { f16ArrayToF32, f32ArrayToF16 } from '../half.ts';

/** IEEE 754 binary16, two per 32-bit word. */
export const f16 = defineFormat({
  name: 'f16',
  block: 8,
  unit: 8,
  storedAs: 'F16',
  planes: (rows, cols) => floatPlanes(2, rows, cols),
  wgsl: { unpack, dot, step },
  simd: 1,
  decode: (bytes, rows, cols) => f16ArrayToF32(halves(bytes, rows * cols)),
  encode(values) {
    const bits = f32ArrayToF16(values);
    return new Uint8Array(bits.buffer);
  },
});
