/**
 * Division of long dispatches into pieces. Operating systems reset a GPU that is busy with one command for too long (Windows:
 * two seconds), and a dispatch cannot be interrupted. Pieces give the same bits, because the sum of a lane is never divided.
 */
import { alignUp } from '../gpu/buffer.ts';
import { plainStep, type Dispatch, type Step } from './node.ts';

/**
 * Maximum multiply-adds of one dispatch, until the device has been measured: half a second at 4e9 per second, a tenth of the
 * rate of a slow integrated GPU.
 */
export const MAX_MULTIPLY_ADDS = 2 ** 31;

/** Work that can be divided: a number of equal, independent parts. */
export interface Cut {
  readonly count: number; // number of parts: outputs, workgroups
  readonly each: number; // multiply-adds per part
  readonly unit?: number; // pieces start at multiples of this and have at least this many parts; default 1
}

/** Consecutive parts of a cut. */
export interface Piece {
  readonly first: number;
  readonly count: number; // 0: the piece is not needed
}

/** Maximum multiply-adds per dispatch in a step: that of the plan, or a higher one for fast devices. */
export function maxMultiplyAdds(
  { mostMultiplyAdds }: { readonly mostMultiplyAdds: number },
  step: Step,
): number {
  return Math.max(mostMultiplyAdds, step.mostMultiplyAdds ?? 0);
}

/** Number of parts per piece, for the fewest pieces, as equal as units allow. */
export function pieceSize({ count, each, unit = 1 }: Cut, most: number): number {
  const largest = Math.max(1, Math.floor(most / each / unit)) * unit;
  const wanted = Math.max(1, Math.ceil(count / largest));
  return Math.min(largest, alignUp(Math.ceil(count / wanted), unit));
}

/** Number of pieces of at most `most` multiply-adds each. */
export function pieceCount(cut: Cut, most: number): number {
  return Math.ceil(cut.count / pieceSize(cut, most));
}

/** The piece with this index. */
export function pieceAt(cut: Cut, most: number, index: number): Piece {
  return pieceOf(cut.count, pieceSize(cut, most), index);
}

/** Piece `index` of pieces of `size` parts. */
export function pieceOf(count: number, size: number, index: number): Piece {
  const first = Math.min(index * size, count);
  return { first, count: Math.min(size, count - first) };
}

/**
 * Divides work into as many dispatches as its longest step needs. `cut` returns the divisible work of a step, `make` the
 * dispatch of a piece. Shorter steps, and steps on fast devices, use fewer.
 */
export function inPieces(
  context: { readonly maxTokens: number; readonly contextTokens: number; readonly mostMultiplyAdds: number },
  cut: (step: Step) => Cut,
  make: (pieceOf: (step: Step) => Piece) => Dispatch,
): Dispatch[] {
  const { maxTokens, contextTokens, mostMultiplyAdds } = context;
  const longest = plainStep(maxTokens, Math.max(0, contextTokens - maxTokens));
  const count = pieceCount(cut(longest), mostMultiplyAdds);
  if (count === 1) {
    const whole = cachedPerStep((step) => ({ first: 0, count: cut(step).count }));
    return [{ ...make(whole), work: (step) => workOf(cut(step)) }];
  }
  return Array.from({ length: count }, (_, index) => {
    const of = cachedPerStep((step) => pieceAt(cut(step), maxMultiplyAdds(context, step), index));
    const one = make(of);
    const work = (step: Step) => workOf({ ...cut(step), count: of(step).count });
    return { ...one, work, isNeeded: (step) => of(step).count > 0 && (one.isNeeded?.(step) ?? true) };
  });
}

/** Caches a result per step, because grid, parameters and need of a dispatch are computed separately. */
function cachedPerStep<T>(compute: (step: Step) => T): (step: Step) => T {
  let known: { readonly step: Step; readonly value: T } | undefined;
  return (step) => {
    if (known?.step !== step) known = { step, value: compute(step) };
    return known.value;
  };
}

function workOf({ count, each }: Cut): number {
  return count * each;
}
