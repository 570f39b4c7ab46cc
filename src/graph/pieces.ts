/**
 * Long dispatches are cut. A system resets a GPU that one command keeps busy for too long (Windows: two seconds), and
 * nothing can be stopped within a dispatch. Pieces give the same bits: what one lane adds up is never cut.
 */
import { alignUp } from '../gpu/buffer.ts';

/**
 * Multiply-adds of one dispatch at most: 50 ms where 40 thousand million are done a second, as a slow integrated GPU
 * does.
 */
export const MOST_MULTIPLY_ADDS = 2 ** 31;

export interface Cut {
  readonly count: number; // of things that can be told apart: outputs, tokens
  readonly each: number; // multiply-adds of one of them
}

export interface Piece {
  readonly first: number;
  readonly count: number; // 0: this piece is not needed
}

/**
 * One more than the last piece that any step needs, and how to get each. Pieces begin at multiples of `unit` and have
 * at least that many, even where these are more than `most`.
 */
export function pieces(
  unit: number,
  most: number,
  longest: Cut,
): { readonly count: number; readonly at: (cut: Cut, index: number) => Piece } {
  const at = (cut: Cut, index: number) => {
    const size = pieceSize(cut, unit, most);
    const first = Math.min(index * size, cut.count);
    return { first, count: Math.min(size, cut.count - first) };
  };
  return { count: Math.ceil(longest.count / pieceSize(longest, unit, most)), at };
}

/** The fewest pieces, as equal as units allow. */
function pieceSize({ count, each }: Cut, unit: number, most: number): number {
  const largest = Math.max(1, Math.floor(most / each / unit)) * unit;
  const wanted = Math.ceil(count / largest);
  return Math.min(largest, alignUp(Math.ceil(count / wanted), unit));
}
