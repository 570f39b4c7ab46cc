/** IQ2_XXS: blocks of 256 weights, f16 d, and a 4-bit scale S for each 32; w = d * (0.5 + S) / 4 * level, of a grid of 256 entries. */
import {
  evenSignCodes,
  gridCodes,
  gridFormat,
  putEntries,
  setScales,
  signUnit,
  twiceEach,
} from '../grid-blocks.ts';
import { IQ2_LEVELS, SIGN } from '../grid-levels.ts';
import { GRID } from '../grids/iq2_xxs.ts';

const codes = gridCodes(GRID, 8, (index) => index);
const signs = evenSignCodes(0, SIGN);

/** 2-bit grid blocks of 256 weights with signs and 4-bit scales (ggml's IQ2_XXS). */
export const iq2_xxs = gridFormat({
  name: 'iq2_xxs',
  blockBytes: 66, // d; for each 32 weights four bytes of entries, then four times seven signs and S
  levels: IQ2_LEVELS,
  repack(source, from, to, block) {
    let scales = 0;
    for (let u = 0; u < 8; u++) {
      const at = from + 2 + 8 * u;
      const word = source.getUint32(at + 4, true);
      scales |= (word >>> 28) << (4 * u);
      const low = source.getUint32(at, true);
      const place = 32 * block + 4 * u;
      putEntries(
        to.units,
        place,
        codes,
        (low << 1) & 0x1fe,
        (low >>> 7) & 0x1fe,
        (low >>> 15) & 0x1fe,
        (low >>> 23) & 0x1fe,
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
    setScales(to, block, source.getUint16(from, true), 0.25, twiceEach(scales), twiceEach(scales >>> 16));
  },
});
