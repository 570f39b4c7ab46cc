/** Q3_K: blocks of 256 weights, f16 d, and a 6-bit scale S for each 16; w = d * (S - 32) * (q - 4). */
import codes from '../../../shaders/lib/codes-3.wgsl?raw';
import side from '../../../shaders/lib/side-q3_k.wgsl?raw';
import { addBit, addPairs, codedFormat, lowHalf, splitBits, splitPairs } from '../coded-blocks.ts';

const [SCALES, D, SIDE_WORDS] = [8, 11, 12]; // highest bits of 8 units; 12 bytes of scales; d

/** 3-bit blocks of 256 weights with 6-bit scales (ggml's Q3_K). */
export const q3_k = codedFormat({
  name: 'q3_k',
  block: 256,
  blockBytes: 110, // hmask[32], qs[64], scales[12], d
  isShort: true,
  side: { blocks: 1, words: SIDE_WORDS },
  zero: 4,
  wgsl: { 'codes-3': codes, 'side-q3_k': side },
  simd: 14,
  repack(source, from, to, block) {
    const at = SIDE_WORDS * block;
    splitBits(source, from, to.sides, at);
    for (const half of [0, 1]) splitPairs(source, from + 32 + 32 * half, to.units, 16 * block + 8 * half);
    for (let k = 0; k < 3; k++) to.sides[at + SCALES + k] = source.getUint32(from + 96 + 4 * k, true);
    to.sides[at + D] = source.getUint16(from + 108, true);
  },
  read(from, unit, to) {
    const [at, own] = [SIDE_WORDS * (unit >> 3), unit & 7];
    to.codes.fill(0);
    addPairs(from.units, 2 * unit, to.codes, 0);
    addBit(from.sides[at + own] ?? 0, to.codes, 2);
    const d = lowHalf(from.sides[at + D]);
    for (const half of [0, 1]) to.scales[half] = d * (scaleOf(from.sides, at + SCALES, 2 * own + half) - 32);
  },
});

/**
 * Scale `index` of 16, six bits: the low four are nibbles of the first 8 bytes, low ones of scales 0 to 7; the high two are in the
 * last 4 bytes, bits 2 (index / 4) of byte index % 4.
 */
function scaleOf(words: Uint32Array, at: number, index: number): number {
  const low = (words[at + ((index >> 2) & 1)] ?? 0) >>> (8 * (index & 3) + 4 * (index >> 3));
  const high = (words[at + 2] ?? 0) >>> (8 * (index & 3) + 2 * (index >> 2));
  return (low & 15) | ((high & 3) << 4);
}
