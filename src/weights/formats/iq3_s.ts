/** IQ3_S: blocks of 256 weights, f16 d, and a 4-bit scale S for each 32; w = d * (1 + 2 S) * level, of a grid of 512 entries. */
import { gridCodes, gridFormat, putUnit, setScales, signCodes, signUnit, twiceEach } from '../grid-blocks.ts';
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
    for (let u = 0; u < 8; u++) {
      const low = source.getUint32(from + 2 + 8 * u, true);
      const next = source.getUint32(from + 6 + 8 * u, true);
      const high = source.getUint8(from + HIGH + u);
      const sign = source.getUint32(from + SIGNS + 4 * u, true);
      const place = 32 * block + 4 * u;
      putUnit(
        to.units,
        place,
        codes[(low & 255) | ((high & 1) << 8)] ?? 0,
        codes[((low >>> 8) & 255) | ((high & 2) << 7)] ?? 0,
        codes[((low >>> 16) & 255) | ((high & 4) << 6)] ?? 0,
        codes[(low >>> 24) | ((high & 8) << 5)] ?? 0,
        codes[(next & 255) | ((high & 16) << 4)] ?? 0,
        codes[((next >>> 8) & 255) | ((high & 32) << 3)] ?? 0,
        codes[((next >>> 16) & 255) | ((high & 64) << 2)] ?? 0,
        codes[(next >>> 24) | ((high & 128) << 1)] ?? 0,
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
    const scales = source.getUint32(from + SCALES, true);
    // Levels are four times too large.
    setScales(to, block, source.getUint16(from, true), 0.5, twiceEach(scales), twiceEach(scales >>> 16));
  },
});
