/** Q4_1: blocks of 32 weights, an f16 scale and an f16 minimum; w = scale * q + minimum. */
import codes from '../../../shaders/lib/codes-4.wgsl?raw';
import side from '../../../shaders/lib/side-q4_1.wgsl?raw';
import { codedFormat, copyUnit, highHalf, lowHalf, readNibbles, setScale } from '../coded-blocks.ts';

/** 4-bit blocks of 32 weights with an f16 scale and minimum (ggml's Q4_1). */
export const q4_1 = codedFormat({
  name: 'q4_1',
  block: 32,
  blockBytes: 20, // d, m, qs[16]
  side: { blocks: 1, words: 1 },
  wgsl: { 'codes-4': codes, 'side-q4_1': side },
  simd: 8,
  repack(source, from, to, block) {
    to.sides[block] = source.getUint32(from, true);
    copyUnit(source, from + 4, to, block);
  },
  read(from, unit, to) {
    const factors = from.sides[unit];
    readNibbles(from, unit, to.codes);
    setScale(to, lowHalf(factors), highHalf(factors));
  },
});
