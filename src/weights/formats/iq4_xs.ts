/** IQ4_XS: blocks of 256 weights, f16 d, and a 6-bit scale S for each 32; w = d * (S - 32) * K[q], K as in IQ4_NL. */
import codes from '../../../shaders/lib/codes-iq4.wgsl?raw';
import side from '../../../shaders/lib/side-iq4_xs.wgsl?raw';
import { codedFormat, copyUnit, lowHalf, setScale } from '../coded-blocks.ts';
import { IQ4_ZERO, readLevels } from '../iq4-levels.ts';

/** 4-bit blocks of 256 weights with unequal levels and 6-bit scales (ggml's IQ4_XS). */
export const iq4_xs = codedFormat({
  name: 'iq4_xs',
  block: 256,
  blockBytes: 136, // d, two high bits of 8 scales, their four low bits, qs[128]
  side: { blocks: 1, words: 2 },
  zero: IQ4_ZERO,
  wgsl: { 'codes-iq4': codes, 'side-iq4_xs': side },
  simd: 13,
  repack(source, from, to, block) {
    to.sides[2 * block] = source.getUint32(from, true);
    to.sides[2 * block + 1] = source.getUint32(from + 4, true);
    for (let u = 0; u < 8; u++) copyUnit(source, from + 8 + 16 * u, to, 8 * block + u);
  },
  read(from, unit, to) {
    const [at, own] = [2 * (unit >> 3), unit & 7];
    readLevels(from, unit, to.codes);
    const [first, low] = [from.sides[at] ?? 0, from.sides[at + 1] ?? 0];
    const scale = ((low >>> (4 * own)) & 15) | (((first >>> (16 + 2 * own)) & 3) << 4);
    setScale(to, lowHalf(first) * (scale - 32));
  },
});
