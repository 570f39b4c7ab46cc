/** IQ2_S: blocks of 256 weights, f16 d, and a 4-bit scale S for each 16; w = d * (0.5 + S) / 4 * level, of a grid of 1024 entries. */
import { gridCodes, gridFormat, putGroup, setScales, signCodes } from '../grid-blocks.ts';
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
    for (let g = 0; g < 32; g++) {
      const high = (source.getUint8(from + 66 + (g >> 2)) >> (2 * (g & 3))) & 3;
      const entry = 2 * (source.getUint8(from + 2 + g) | (high << 8));
      const sign = 2 * source.getUint8(from + 34 + g);
      const first = (codes[entry] ?? 0) ^ (signs[sign] ?? 0);
      putGroup(to, 32 * block + g, first, (codes[entry + 1] ?? 0) ^ (signs[sign + 1] ?? 0));
    }
    const [low, high] = [source.getUint32(from + 74, true), source.getUint32(from + 78, true)];
    setScales(to, block, [source.getUint16(from, true), 0.25], low, high);
  },
});
