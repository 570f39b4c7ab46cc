/** Q4_K: blocks of 256 weights, f16 d and dmin, and a 6-bit scale S and minimum M for each 32; w = d * S * q - dmin * M. */
import codes from '../../../shaders/lib/codes-4.wgsl?raw';
import scales from '../../../shaders/lib/k-scales.wgsl?raw';
import side from '../../../shaders/lib/side-q4_k.wgsl?raw';
import { codedFormat, readNibbles, splitNibbles } from '../coded-blocks.ts';
import { readKScales } from '../k-scales.ts';

const SIDE_WORDS = 4; // d and dmin, 12 bytes of scales

/** 4-bit blocks of 256 weights with 6-bit scales and minimums (ggml's Q4_K). */
export const q4_k = codedFormat({
  name: 'q4_k',
  block: 256,
  blockBytes: 144, // d, dmin, scales[12], qs[128]
  side: { blocks: 1, words: SIDE_WORDS },
  wgsl: { 'codes-4': codes, 'k-scales': scales, 'side-q4_k': side },
  simd: 5,
  repack(source, from, to, block) {
    for (let k = 0; k < SIDE_WORDS; k++)
      to.sides[SIDE_WORDS * block + k] = source.getUint32(from + 4 * k, true);
    for (let pair = 0; pair < 4; pair++) {
      const unit = 8 * block + 2 * pair;
      splitNibbles(source, from + 16 + 32 * pair, to, unit, unit + 1);
    }
  },
  read(from, unit, to) {
    readNibbles(from, unit, to.codes);
    readKScales(from.sides, SIDE_WORDS * (unit >> 3), unit & 7, to);
  },
});
