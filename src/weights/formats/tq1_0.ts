/** TQ1_0: blocks of 256 weights, five in a byte, and an f16 scale. A byte is a fraction of 256, whose digits to the base of three are codes. */
import { ternaryFormat } from '../ternary-blocks.ts';

/** Bytes with a digit for each run of weights as long as they are many: where they begin, the first weight, and the digits. */
const RUNS = [
  { at: 0, bytes: 32, first: 0, digits: 5 },
  { at: 32, bytes: 16, first: 160, digits: 5 },
  { at: 48, bytes: 4, first: 240, digits: 4 },
] as const;

/** [byte][digit]: codes 0 to 2. */
const DIGITS = Uint8Array.from({ length: 256 * 5 }, (_, at) => {
  const rest = (Math.floor(at / 5) * 3 ** (at % 5)) & 255;
  return (3 * rest) >> 8;
});

/** Ternary blocks of 256 weights, five in a byte (ggml's TQ1_0). */
export const tq1_0 = ternaryFormat({
  name: 'tq1_0',
  blockBytes: 54, // qs[48], qh[4], d
  moveCodes(source, from, { units }, block) {
    for (const { at, bytes, first, digits } of RUNS) {
      for (let n = 0; n < bytes * digits; n++) {
        const digit = Math.floor(n / bytes);
        const code = DIGITS[5 * source.getUint8(from + at + (n % bytes)) + digit] ?? 0;
        const weight = first + n;
        const word = 16 * block + (weight >> 4);
        units[word] = (units[word] ?? 0) | (code << (8 * (weight & 3) + 2 * ((weight >> 2) & 3)));
      }
    }
  },
});
