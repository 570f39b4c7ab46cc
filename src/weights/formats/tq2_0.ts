/** TQ2_0: blocks of 256 weights of two bits, and an f16 scale. */
import { splitPairs } from '../coded-blocks.ts';
import { ternaryFormat } from '../ternary-blocks.ts';

/** Ternary blocks of 256 weights, two bits each (ggml's TQ2_0). */
export const tq2_0 = ternaryFormat({
  name: 'tq2_0',
  blockBytes: 66, // qs[64], d
  moveCodes(source, from, { units }, block) {
    for (const half of [0, 1]) splitPairs(source, from + 32 * half, units, 16 * block + 8 * half);
  },
});
