/** I8: signed bytes, an f32 scale for 128 columns of a row. */
import bytes from '../../../shaders/lib/bytes-i8.wgsl?raw';
import { byteFormat } from '../byte-groups.ts';

/** Signed bytes in groups of 128 with an f32 scale: unlike q8_0, whose scales are f16, it takes those of bf16 files as they are. */
export const i8_g128 = byteFormat({
  name: 'i8_g128',
  value: (byte) => (byte << 24) >> 24, // sign-extends
  wgsl: { 'bytes-i8': bytes },
  simd: 21,
});
