/** The codes of ggml's IQ1_S and IQ1_M: the odd levels 8 (g + delta), of g -1, 0 or 1 and delta 1/8 or -1/8. */
import { gridCodes } from './grid-blocks.ts';
import { GRID } from './grids/iq1.ts';

/** Added to an entry of the grid where delta is negative. */
export const NEGATIVE = 2048;

const positive = gridCodes(GRID, 8, (index) => codeOf(index, 1));
const negative = gridCodes(GRID, 8, (index) => codeOf(index, -1));

/** Two words of codes for each entry of the grid, first those with a positive delta. */
export const IQ1_CODES: Int32Array = Int32Array.from([...positive, ...negative]);

/** The level 2 code - 15. */
function codeOf(index: number, delta: number): number {
  return (8 * (index - 1) + delta + 15) / 2;
}
