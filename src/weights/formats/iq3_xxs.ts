/** IQ3_XXS: blocks of 256 weights, f16 d, and a 4-bit scale S for each 32; w = d * (0.5 + S) / 2 * level, of a grid of 256 entries. */
import {
  evenSignCodes,
  gridCodes,
  gridFormat,
  putUnit,
  setScales,
  signUnit,
  twiceEach,
} from '../grid-blocks.ts';
import { IQ3_LEVELS } from '../grid-levels.ts';
import { GRID } from '../grids/iq3_xxs.ts';

// The magnitude of an index i has the code 8 + i, and negated the code 7 - i.
const codes = gridCodes(GRID, 4, (index) => 7 - index);
const signs = evenSignCodes(15, 0);
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
      const low = source.getUint32(from + 2 + 8 * u, true);
      const next = source.getUint32(from + 6 + 8 * u, true);
      const place = 32 * block + 4 * u;
      putUnit(
        to.units,
        place,
        codes[low & 255] ?? 0,
        codes[(low >>> 8) & 255] ?? 0,
        codes[(low >>> 16) & 255] ?? 0,
        codes[low >>> 24] ?? 0,
        codes[next & 255] ?? 0,
        codes[(next >>> 8) & 255] ?? 0,
        codes[(next >>> 16) & 255] ?? 0,
        codes[next >>> 24] ?? 0,
      );
      signUnit(
        to.units,
        place,
        signs,
        (word << 1) & 254,
        (word >>> 6) & 254,
        (word >>> 13) & 254,
        (word >>> 20) & 254,
      );
    }
    setScales(to, block, source.getUint16(from, true), 0.5, twiceEach(scales), twiceEach(scales >>> 16));
  },
});
