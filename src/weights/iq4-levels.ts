/** The levels of ggml's IQ4_NL and IQ4_XS. shaders/lib/codes-iq4.wgsl has the same. */
import { readNibbles, type CodedMatrix } from './coded-blocks.ts';

/** Added to the levels, so that codes are not negative. */
export const IQ4_ZERO = 128;

const LEVELS = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/** Reads the codes of a unit: levels plus IQ4_ZERO. */
export function readLevels(from: CodedMatrix, unit: number, codes: Uint8Array): void {
  readNibbles(from, unit, codes);
  for (const [i, code] of codes.entries()) codes[i] = (LEVELS[code] ?? 0) + IQ4_ZERO;
}
