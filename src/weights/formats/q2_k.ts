/** Q2_K: blocks of 256 weights, f16 d and dmin, and a 4-bit scale S and minimum M for each 16; w = d * S * q - dmin * M. */
import codes from '../../../shaders/lib/codes-2.wgsl?raw';
import side from '../../../shaders/lib/side-q2_k.wgsl?raw';
import { addPairs, codedFormat, highHalf, lowHalf, splitPairs } from '../coded-blocks.ts';

const [FACTORS, SIDE_WORDS] = [4, 5]; // 16 bytes of scales and minimums; d and dmin

/** 2-bit blocks of 256 weights with 4-bit scales and minimums (ggml's Q2_K). */
export const q2_k = codedFormat({
  name: 'q2_k',
  block: 256,
  blockBytes: 84, // scales[16], qs[64], d, dmin
  isShort: true,
  side: { blocks: 1, words: SIDE_WORDS },
  wgsl: { 'codes-2': codes, 'side-q2_k': side },
  simd: 15,
  repack(source, from, to, block) {
    const at = SIDE_WORDS * block;
    for (let k = 0; k < FACTORS; k++) to.sides[at + k] = source.getUint32(from + 4 * k, true);
    to.sides[at + FACTORS] = source.getUint32(from + 80, true);
    for (const half of [0, 1]) splitPairs(source, from + 16 + 32 * half, to.units, 16 * block + 8 * half);
  },
  read(from, unit, to) {
    const [at, own] = [SIDE_WORDS * (unit >> 3), unit & 7];
    to.codes.fill(0);
    addPairs(from.units, 2 * unit, to.codes, 0);
    const factors = from.sides[at + FACTORS];
    for (const half of [0, 1]) {
      const byte = (from.sides[at + (own >> 1)] ?? 0) >>> (16 * (own & 1) + 8 * half);
      to.scales[half] = lowHalf(factors) * (byte & 15);
      to.offsets[half] = -highHalf(factors) * ((byte >>> 4) & 15);
    }
  },
});
