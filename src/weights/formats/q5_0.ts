/** Q5_0: blocks of 32 weights and an f16 scale; w = scale * (q - 16). */
import codes from '../../../shaders/lib/codes-5.wgsl?raw';
import side from '../../../shaders/lib/side-q5_0.wgsl?raw';
import {
  codedFormat,
  copyUnit,
  bitsOf,
  highHalf,
  lowHalf,
  addBit,
  readNibbles,
  setScale,
} from '../coded-blocks.ts';

/** Words of the side of two blocks: the fifth bits of each, then both scales. */
const [SCALES, SIDE_WORDS] = [2, 3];

/** 5-bit blocks of 32 weights with an f16 scale (ggml's Q5_0). */
export const q5_0 = codedFormat({
  name: 'q5_0',
  block: 32,
  blockBytes: 22, // d, qh, qs[16]
  side: { blocks: 2, words: SIDE_WORDS },
  zero: 16,
  wgsl: { 'codes-5': codes, 'side-q5_0': side },
  simd: 9,
  repack(source, from, to, block) {
    const [at, own] = [SIDE_WORDS * (block >> 1), block & 1];
    const scales = to.sides[at + SCALES] ?? 0;
    to.sides[at + SCALES] = scales | (source.getUint16(from, true) << (16 * own));
    to.sides[at + own] = bitsOf(source.getUint32(from + 2, true));
    copyUnit(source, from + 6, to, block);
  },
  read(from, unit, to) {
    const [at, own] = [SIDE_WORDS * (unit >> 1), unit & 1];
    readNibbles(from, unit, to.codes);
    addBit(from.sides[at + own] ?? 0, to.codes, 4);
    const scales = from.sides[at + SCALES];
    setScale(to, own === 0 ? lowHalf(scales) : highHalf(scales));
  },
});
