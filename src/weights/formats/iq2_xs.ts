/** IQ2_XS: blocks of 256 weights, f16 d, and a 4-bit scale S for each 16; w = d * (0.5 + S) / 4 * level, of a grid of 512 entries. */
import { evenSignCodes, gridCodes, gridFormat, putEntries, setScales, signUnit } from '../grid-blocks.ts';
import { IQ2_LEVELS, SIGN } from '../grid-levels.ts';
import { GRID } from '../grids/iq2_xs.ts';

const codes = gridCodes(GRID, 8, (index) => index);
const signs = evenSignCodes(0, SIGN);

/** 2-bit grid blocks of 256 weights with signs and 4-bit scales (ggml's IQ2_XS). */
export const iq2_xs = gridFormat({
  name: 'iq2_xs',
  blockBytes: 74, // d; for each 8 weights nine bits of entry and seven signs; scales[8]
  levels: IQ2_LEVELS,
  repack(source, from, to, block) {
    for (let u = 0; u < 8; u++) {
      // Nine bits of an entry and seven signs, four times.
      const low = source.getUint32(from + 2 + 8 * u, true);
      const high = source.getUint32(from + 6 + 8 * u, true);
      const place = 32 * block + 4 * u;
      putEntries(
        to.units,
        place,
        codes,
        (low << 1) & 0x3fe,
        (low >>> 15) & 0x3fe,
        (high << 1) & 0x3fe,
        (high >>> 15) & 0x3fe,
      );
      signUnit(
        to.units,
        place,
        signs,
        (low >>> 8) & 254,
        (low >>> 24) & 254,
        (high >>> 8) & 254,
        (high >>> 24) & 254,
      );
    }
    const [low, high] = [source.getUint32(from + 66, true), source.getUint32(from + 70, true)];
    setScales(to, block, source.getUint16(from, true), 0.25, low, high);
  },
});
