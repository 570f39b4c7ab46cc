/** F8: bytes of 8-bit floats (E4M3: 1 sign, 4 exponent, 3 mantissa bits, no infinities), an f32 scale for 128 columns of a row. */
import bytes from '../../../shaders/lib/bytes-f8.wgsl?raw';
import { byteFormat } from '../byte-groups.ts';
import { f8ToF32 } from '../half.ts';

/** 8-bit floats in groups of 128 with an f32 scale: those of DeepSeek-V3 and others. */
export const f8_g128 = byteFormat({
  name: 'f8_g128',
  value: f8ToF32,
  wgsl: { 'bytes-f8': bytes },
  simd: 20,
});
