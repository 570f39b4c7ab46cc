/** Q5_K: as Q4_K, with a fifth bit of each weight. */
import codes from '../../../shaders/lib/codes-5.wgsl?raw';
import scales from '../../../shaders/lib/k-scales.wgsl?raw';
import side from '../../../shaders/lib/side-q5_k.wgsl?raw';
import { codedFormat, addBit, readNibbles, splitBits, splitNibbles } from '../coded-blocks.ts';
import { readKScales } from '../k-scales.ts';

const SCALE_WORDS = 4; // d and dmin, 12 bytes of scales
const SIDE_WORDS = SCALE_WORDS + 8; // then the fifth bits of 8 units

/** 5-bit blocks of 256 weights with 6-bit scales and minimums (ggml's Q5_K). */
export const q5_k = codedFormat({
  name: 'q5_k',
  block: 256,
  blockBytes: 176, // d, dmin, scales[12], qh[32], qs[128]
  side: { blocks: 1, words: SIDE_WORDS },
  wgsl: { 'codes-5': codes, 'k-scales': scales, 'side-q5_k': side },
  simd: 6,
  repack(source, from, to, block) {
    const at = SIDE_WORDS * block;
    for (let k = 0; k < SCALE_WORDS; k++) to.sides[at + k] = source.getUint32(from + 4 * k, true);
    splitBits(source, from + 16, to.sides, at + SCALE_WORDS);
    for (let pair = 0; pair < 4; pair++) {
      const unit = 8 * block + 2 * pair;
      splitNibbles(source, from + 48 + 32 * pair, to, unit, unit + 1);
    }
  },
  read(from, unit, to) {
    const at = SIDE_WORDS * (unit >> 3);
    readNibbles(from, unit, to.codes);
    addBit(from.sides[at + SCALE_WORDS + (unit & 7)] ?? 0, to.codes, 4);
    readKScales(from.sides, at, unit & 7, to);
  },
});
