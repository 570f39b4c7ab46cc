import dot from '../../../shaders/lib/dot-f32.wgsl?raw';
import step from '../../../shaders/lib/step-f32.wgsl?raw';
import unpack from '../../../shaders/lib/weights-f32.wgsl?raw';
import { floatPlanes } from '../floats.ts';
import { defineFormat } from '../format.ts';

/** IEEE 754 binary32: represents every value of weight files exactly. */
export const f32 = defineFormat({
  name: 'f32',
  block: 4,
  unit: 4,
  storedAs: 'F32',
  planes: (rows, cols) => floatPlanes(4, rows, cols),
  wgsl: { unpack, dot, step },
  simd: 0,
  decode(bytes, rows, cols) {
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
    return new Float32Array(aligned.buffer, aligned.byteOffset, rows * cols);
  },
  encode: (values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
});
