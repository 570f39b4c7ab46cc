/** Q5_1: blocks of 32 weights, an f16 scale and an f16 minimum; w = scale * q + minimum. */
import codes from '../../../shaders/lib/codes-5.wgsl?raw';
import side from '../../../shaders/lib/side-q5_1.wgsl?raw';
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

/** 5-bit blocks of 32 weights with an f16 scale and minimum (ggml's Q5_1). */
export const q5_1 = codedFormat({
  name: 'q5_1',
  block: 32,
  blockBytes: 24, // d, m, qh, qs[16]
  side: { blocks: 1, words: 2 }, // d and m, fifth bits
  wgsl: { 'codes-5': codes, 'side-q5_1': side },
  simd: 10,
  repack(source, from, to, block) {
    to.sides[2 * block] = source.getUint32(from, true);
    to.sides[2 * block + 1] = bitsOf(source.getUint32(from + 4, true));
    copyUnit(source, from + 8, to, block);
  },
  read(from, unit, to) {
    const factors = from.sides[2 * unit];
    readNibbles(from, unit, to.codes);
    addBit(from.sides[2 * unit + 1] ?? 0, to.codes, 4);
    setScale(to, lowHalf(factors), highHalf(factors));
  },
});
