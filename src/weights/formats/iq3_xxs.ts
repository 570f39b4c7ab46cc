/** IQ3_XXS: blocks of 256 weights, f16 d, and a 4-bit scale S for each 32; w = d * (0.5 + S) / 2 * level, of a grid of 256 entries. */
import {
  evenSigns,
  gridCodes,
  gridFormat,
  putGroup,
  setScales,
  signCodes,
  twiceEach,
} from '../grid-blocks.ts';
import { IQ3_LEVELS } from '../grid-levels.ts';
import { GRID } from '../grids/iq3_xxs.ts';

// The magnitude of an index i has the code 8 + i, and negated the code 7 - i.
const codes = gridCodes(GRID, 4, (index) => 7 - index);
const signs = signCodes(15, 0);
const SIGNS = 66;

/** 3-bit grid blocks of 256 weights with signs and 4-bit scales (ggml's IQ3_XXS). */
export const iq3_xxs = gridFormat({
  name: 'iq3_xxs',
  blockBytes: 98, // d, entries[64], for each 32 weights four times seven signs and S
  levels: IQ3_LEVELS,
  repack(source, from, to, block) {
    let scales = 0;
    for (let u = 0; u < 8; u++) {
      const word = source.getUint32(from + SIGNS + 4 * u, true);
      scales |= (word >>> 28) << (4 * u);
      for (let g = 0; g < 4; g++) {
        const at = from + 2 + 8 * u + 2 * g;
        const sign = 2 * evenSigns((word >>> (7 * g)) & 127);
        const first = (codes[source.getUint8(at)] ?? 0) ^ (signs[sign] ?? 0);
        const last = (codes[source.getUint8(at + 1)] ?? 0) ^ (signs[sign + 1] ?? 0);
        putGroup(to, 32 * block + 4 * u + g, first, last);
      }
    }
    setScales(to, block, [source.getUint16(from, true), 0.5], twiceEach(scales), twiceEach(scales >>> 16));
  },
});
