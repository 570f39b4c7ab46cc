/** IQ2_XS: blocks of 256 weights, f16 d, and a 4-bit scale S for each 16; w = d * (0.5 + S) / 4 * level, of a grid of 512 entries. */
import { evenSigns, gridCodes, gridFormat, putGroup, setScales, signCodes } from '../grid-blocks.ts';
import { IQ2_LEVELS, SIGN } from '../grid-levels.ts';
import { GRID } from '../grids/iq2_xs.ts';

const codes = gridCodes(GRID, 8, (index) => index);
const signs = signCodes(0, SIGN);

/** 2-bit grid blocks of 256 weights with signs and 4-bit scales (ggml's IQ2_XS). */
export const iq2_xs = gridFormat({
  name: 'iq2_xs',
  blockBytes: 74, // d; for each 8 weights nine bits of entry and seven signs; scales[8]
  levels: IQ2_LEVELS,
  repack(source, from, to, block) {
    for (let g = 0; g < 32; g++) {
      const word = source.getUint16(from + 2 + 2 * g, true);
      const [entry, sign] = [2 * (word & 511), 2 * evenSigns(word >> 9)];
      const first = (codes[entry] ?? 0) ^ (signs[sign] ?? 0);
      putGroup(to, 32 * block + g, first, (codes[entry + 1] ?? 0) ^ (signs[sign + 1] ?? 0));
    }
    const [low, high] = [source.getUint32(from + 66, true), source.getUint32(from + 70, true)];
    setScales(to, block, [source.getUint16(from, true), 0.25], low, high);
  },
});
