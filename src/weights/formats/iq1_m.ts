/** IQ1_M: blocks of 256 weights, f16 d, a 3-bit scale S for each 16 and a sign of delta for each 8; w = d * (1 + 2 S) * (g + delta). */
import { gridFormat, putEntries, setScales } from '../grid-blocks.ts';
import { ODD_LEVELS } from '../grid-levels.ts';
import { IQ1_CODES } from '../iq1-codes.ts';

const [HIGH, SCALES] = [32, 48];

/** 1-bit grid blocks of 256 weights with 3-bit scales (ggml's IQ1_M). */
export const iq1_m = gridFormat({
  name: 'iq1_m',
  // Low bits of entries[32], nibbles of three high bits and the sign of delta[32]; four times four scales and four bits of d.
  blockBytes: 56,
  levels: ODD_LEVELS,
  repack(source, from, to, block) {
    for (let u = 0; u < 8; u++) {
      // Nibbles of three high bits, and the sign above them, which is NEGATIVE there.
      const high = source.getUint16(from + HIGH + 2 * u, true);
      const low = source.getUint32(from + 4 * u, true);
      const e0 = 2 * ((low & 255) | ((high & 15) << 8));
      const e1 = 2 * (((low >>> 8) & 255) | (((high >> 4) & 15) << 8));
      const e2 = 2 * (((low >>> 16) & 255) | (((high >> 8) & 15) << 8));
      const e3 = 2 * ((low >>> 24) | ((high >> 12) << 8));
      putEntries(to.units, 32 * block + 4 * u, IQ1_CODES, e0, e1, e2, e3);
    }
    let d = 0;
    const scales = [0, 0];
    for (let k = 0; k < 4; k++) {
      const word = source.getUint16(from + SCALES + 2 * k, true);
      d |= (word >> 12) << (4 * k);
      scales[k >> 1] = (scales[k >> 1] ?? 0) | (spread(word) << (16 * (k & 1)));
    }
    // Levels are 32 times too large.
    setScales(to, block, d, 1 / 16, scales[0] ?? 0, scales[1] ?? 0);
  },
});

/** Four scales of three bits, each in a nibble. */
function spread(word: number): number {
  return (word & 7) | ((word & 0x38) << 1) | ((word & 0x1c0) << 2) | ((word & 0xe00) << 3);
}
