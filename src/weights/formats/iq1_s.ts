/** IQ1_S: blocks of 256 weights, f16 d, and a 3-bit scale S and a sign of delta for each 32; w = d * (1 + 2 S) * (g + delta). */
import { gridFormat, putGroup, setScales, twiceEach } from '../grid-blocks.ts';
import { ODD_LEVELS } from '../grid-levels.ts';
import { IQ1_CODES, NEGATIVE } from '../iq1-codes.ts';

/** 1-bit grid blocks of 256 weights with 3-bit scales (ggml's IQ1_S). */
export const iq1_s = gridFormat({
  name: 'iq1_s',
  blockBytes: 50, // d, low bits of entries[32]; for each 32 weights four times three high bits, S, and the sign of delta
  levels: ODD_LEVELS,
  repack(source, from, to, block) {
    let scales = 0;
    for (let u = 0; u < 8; u++) {
      const word = source.getUint16(from + 34 + 2 * u, true);
      scales |= ((word >> 12) & 7) << (4 * u);
      for (let g = 0; g < 4; g++) {
        const high = ((word >> (3 * g)) & 7) << 8;
        const entry = 2 * (source.getUint8(from + 2 + 4 * u + g) | high | (word >> 15 ? NEGATIVE : 0));
        putGroup(to, 32 * block + 4 * u + g, IQ1_CODES[entry] ?? 0, IQ1_CODES[entry + 1] ?? 0);
      }
    }
    // Levels are 32 times too large.
    setScales(to, block, [source.getUint16(from, true), 1 / 16], twiceEach(scales), twiceEach(scales >>> 16));
  },
});
