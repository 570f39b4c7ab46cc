/** IQ1_S: blocks of 256 weights, f16 d, and a 3-bit scale S and a sign of delta for each 32; w = d * (1 + 2 S) * (g + delta). */
import { gridFormat, putEntries, setScales, twiceEach } from '../grid-blocks.ts';
import { ODD_LEVELS } from '../grid-levels.ts';
import { IQ1_CODES, NEGATIVE } from '../iq1-codes.ts';

/** 1-bit grid blocks of 256 weights with 3-bit scales (ggml's IQ1_S). */
export const iq1_s = gridFormat({
  name: 'iq1_s',
  blockBytes: 50, // d, low bits of entries[32]; for each 32 weights four times three high bits, S, and the sign of delta
  levels: ODD_LEVELS,
  repack(source, from, to, block) {
    const { units } = to;
    let scales = 0;
    for (let u = 0; u < 8; u++) {
      const word = source.getUint16(from + 34 + 2 * u, true);
      scales |= ((word >> 12) & 7) << (4 * u);
      const low = source.getUint32(from + 2 + 4 * u, true);
      const sign = (word >> 15) * NEGATIVE;
      const e0 = 2 * ((low & 255) | ((word & 7) << 8) | sign);
      const e1 = 2 * (((low >>> 8) & 255) | (((word >> 3) & 7) << 8) | sign);
      const e2 = 2 * (((low >>> 16) & 255) | (((word >> 6) & 7) << 8) | sign);
      const e3 = 2 * ((low >>> 24) | (((word >> 9) & 7) << 8) | sign);
      putEntries(units, 32 * block + 4 * u, IQ1_CODES, e0, e1, e2, e3);
    }
    // Levels are 32 times too large.
    setScales(to, block, source.getUint16(from, true), 1 / 16, twiceEach(scales), twiceEach(scales >>> 16));
  },
});
