/** IQ3_S: blocks of 256 weights, f16 d, and a 4-bit scale S for each 32; w = d * (1 + 2 S) * level, of a grid of 512 entries. */
import { gridCodes, gridFormat, putGroup, setScales, signCodes, twiceEach } from '../grid-blocks.ts';
import { ODD_LEVELS } from '../grid-levels.ts';
import { GRID } from '../grids/iq3_s.ts';

// The level 2 i + 1 has the code 8 + i, and -(2 i + 1) the code 7 - i.
const codes = gridCodes(GRID, 4, (index) => 7 - index);
const signs = signCodes(15, 0);
const [HIGH, SIGNS, SCALES] = [66, 74, 106];

/** 3-bit grid blocks of 256 weights with signs and 4-bit scales (ggml's IQ3_S). */
export const iq3_s = gridFormat({
  name: 'iq3_s',
  blockBytes: 110, // d, low bits of entries[64], ninth bits[8], signs[32], scales[4]
  levels: ODD_LEVELS,
  repack(source, from, to, block) {
    for (let g = 0; g < 32; g++) {
      const at = from + 2 + 2 * g;
      const high = source.getUint8(from + HIGH + (g >> 2)) >> (2 * (g & 3));
      const sign = 2 * source.getUint8(from + SIGNS + g);
      const first = codes[source.getUint8(at) | ((high & 1) << 8)] ?? 0;
      const last = codes[source.getUint8(at + 1) | ((high & 2) << 7)] ?? 0;
      putGroup(to, 32 * block + g, first ^ (signs[sign] ?? 0), last ^ (signs[sign + 1] ?? 0));
    }
    const scales = source.getUint32(from + SCALES, true);
    // Levels are four times too large.
    setScales(to, block, [source.getUint16(from, true), 0.5], twiceEach(scales), twiceEach(scales >>> 16));
  },
});
