/** IQ4_NL: blocks of 32 weights and an f16 scale; w = scale * K[q], a table of 16 levels at unequal distances. */
import codes from '../../../shaders/lib/codes-iq4.wgsl?raw';
import side from '../../../shaders/lib/side-iq4_nl.wgsl?raw';
import { codedFormat, copyUnit, highHalf, lowHalf, setScale } from '../coded-blocks.ts';
import { IQ4_ZERO, readLevels } from '../iq4-levels.ts';

/** 4-bit blocks of 32 weights with unequal levels and an f16 scale (ggml's IQ4_NL). */
export const iq4_nl = codedFormat({
  name: 'iq4_nl',
  block: 32,
  blockBytes: 18, // d, qs[16]
  side: { blocks: 2, words: 1 },
  zero: IQ4_ZERO,
  wgsl: { 'codes-iq4': codes, 'side-iq4_nl': side },
  simd: 12,
  repack(source, from, to, block) {
    const word = block >> 1;
    to.sides[word] = (to.sides[word] ?? 0) | (source.getUint16(from, true) << (16 * (block & 1)));
    copyUnit(source, from + 2, to, block);
  },
  read(from, unit, to) {
    readLevels(from, unit, to.codes);
    const scales = from.sides[unit >> 1];
    setScale(to, (unit & 1) === 0 ? lowHalf(scales) : highHalf(scales));
  },
});
