/** Q6_K: blocks of 256 weights, f16 d, and a signed 8-bit scale S for each 16; w = d * S * (q - 32). */
import codes from '../../../shaders/lib/codes-6.wgsl?raw';
import side from '../../../shaders/lib/side-q6_k.wgsl?raw';
import { codedFormat, addPairs, lowHalf, readNibbles, splitNibbles, splitPairs } from '../coded-blocks.ts';

/** Words of a block's side: highest two bits of 8 units (64 bytes), 16 scales, f16 d and padding. */
const [SCALES, D, SIDE_WORDS] = [16, 20, 21];

/** 6-bit blocks of 256 weights with 8-bit scales (ggml's Q6_K). */
export const q6_k = codedFormat({
  name: 'q6_k',
  block: 256,
  blockBytes: 210, // ql[128], qh[64], scales[16], d
  side: { blocks: 1, words: SIDE_WORDS },
  zero: 32,
  wgsl: { 'codes-6': codes, 'side-q6_k': side },
  simd: 7,
  repack(source, from, to, block) {
    for (const half of [0, 1]) {
      const unit = 8 * block + 4 * half;
      splitNibbles(source, from + 64 * half, to, unit, unit + 2);
      splitNibbles(source, from + 64 * half + 32, to, unit + 1, unit + 3);
      splitPairs(source, from + 128 + 32 * half, to.sides, SIDE_WORDS * block + 8 * half);
    }
    const at = SIDE_WORDS * block;
    for (let k = 0; k < 4; k++) to.sides[at + SCALES + k] = source.getUint32(from + 192 + 4 * k, true);
    to.sides[at + D] = source.getUint16(from + 208, true);
  },
  read(from, unit, to) {
    const [at, own] = [SIDE_WORDS * (unit >> 3), unit & 7];
    readNibbles(from, unit, to.codes);
    const d = lowHalf(from.sides[at + D]);
    const scales = (from.sides[at + SCALES + (own >> 1)] ?? 0) >>> (16 * (own & 1));
    for (const half of [0, 1]) to.scales[half] = d * ((scales << (24 - 8 * half)) >> 24); // sign-extends
    addPairs(from.sides, at + 2 * own, to.codes, 4);
  },
});
