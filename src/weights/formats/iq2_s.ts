/** IQ2_S: blocks of 256 weights, f16 d, and a 4-bit scale S for each 16; w = d * (0.5 + S) / 4 * level, of a grid of 1024 entries. */
import { gridCodes, gridFormat, putEntries, setScales, signCodes, signUnit } from '../grid-blocks.ts';
import { IQ2_LEVELS, SIGN } from '../grid-levels.ts';
import { GRID } from '../grids/iq2_s.ts';

const codes = gridCodes(GRID, 8, (index) => index);
const signs = signCodes(0, SIGN);

/** 2-bit grid blocks of 256 weights with signs and 4-bit scales (ggml's IQ2_S). */
export const iq2_s = gridFormat({
  name: 'iq2_s',
  blockBytes: 82, // d, low bits of entries[32], signs[32], two high bits of entries[8], scales[8]
  levels: IQ2_LEVELS,
  repack(source, from, to, block) {
    for (let u = 0; u < 8; u++) {
      const high = source.getUint8(from + 66 + u);
      const low = source.getUint32(from + 2 + 4 * u, true);
      const sign = source.getUint32(from + 34 + 4 * u, true);
      const place = 32 * block + 4 * u;
      putEntries(
        to.units,
        place,
        codes,
        ((low << 1) & 0x1fe) | ((high & 3) << 9),
        ((low >>> 7) & 0x1fe) | ((high & 12) << 7),
        ((low >>> 15) & 0x1fe) | ((high & 48) << 5),
        ((low >>> 23) & 0x1fe) | ((high >> 6) << 9),
      );
      signUnit(
        to.units,
        place,
        signs,
        (sign << 1) & 0x1fe,
        (sign >>> 7) & 0x1fe,
        (sign >>> 15) & 0x1fe,
        (sign >>> 23) & 0x1fe,
      );
    }
    const [low, high] = [source.getUint32(from + 74, true), source.getUint32(from + 78, true)];
    setScales(to, block, source.getUint16(from, true), 0.25, low, high);
  },
});
