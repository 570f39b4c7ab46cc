/**
 * Long dispatches are cut. A system resets a GPU that one command keeps busy for too long (Windows: two seconds), and
 * nothing can be stopped within a dispatch. Pieces give the same bits: what one lane adds up is never cut.
 */
import { alignUp } from '../gpu/buffer.ts';
import { plainStep, type Dispatch, type Step } from './node.ts';

/**
 * Multiply-adds of one dispatch at most, until a device has shown what it can: half a second where four thousand
 * million are done a second, a tenth of what a slow integrated GPU should do.
 */
export const MOST_MULTIPLY_ADDS = 2 ** 31;

/** Work that can be divided: a number of equal, independent parts. */
export interface Cut {
  readonly count: number; // of things that can be distinguished: outputs, workgroups
  readonly each: number; // multiply-adds of one of them
  readonly unit?: number; // pieces begin at multiples of this many, and have as many at least; default 1
}

/** Consecutive parts of a cut. */
export interface Piece {
  readonly first: number;
  readonly count: number; // 0: this piece is not needed
}

/** What a dispatch may take in a step: more than its plan reckoned with, where the device has proved quick. */
export function mostOf({ mostMultiplyAdds }: { readonly mostMultiplyAdds: number }, step: Step): number {
  return Math.max(mostMultiplyAdds, step.mostMultiplyAdds ?? 0);
}

/** Things in a piece: the fewest pieces, as equal as units allow. */
export function pieceSize({ count, each, unit = 1 }: Cut, most: number): number {
  const largest = Math.max(1, Math.floor(most / each / unit)) * unit;
  const wanted = Math.max(1, Math.ceil(count / largest));
  return Math.min(largest, alignUp(Math.ceil(count / wanted), unit));
}

/** Pieces of at most `most` multiply-adds each. */
export function pieceCount(cut: Cut, most: number): number {
  return Math.ceil(cut.count / pieceSize(cut, most));
}

/** The piece of this number. */
export function pieceAt(cut: Cut, most: number, index: number): Piece {
  return pieceOf(cut.count, pieceSize(cut, most), index);
}

/** Piece `index` of pieces of that size. */
export function pieceOf(count: number, size: number, index: number): Piece {
  const first = Math.min(index * size, count);
  return { first, count: Math.min(size, count - first) };
}

/**
 * The dispatches of something long, as many as its longest step needs. `cut` says what a step cuts, `make` gives the
 * dispatch of a piece; shorter steps, and those of a quick device, need fewer.
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
    const whole = forStep((step) => ({ first: 0, count: cut(step).count }));
    return [{ ...make(whole), work: (step) => workOf(cut(step)) }];
  }
  return Array.from({ length: count }, (_, index) => {
    const of = forStep((step) => pieceAt(cut(step), mostOf(context, step), index));
    const one = make(of);
    const work = (step: Step) => workOf({ ...cut(step), count: of(step).count });
    return { ...one, work, isNeeded: (step) => of(step).count > 0 && (one.isNeeded?.(step) ?? true) };
  });
}

/** Computes once for each step: grid, parameters and need of a dispatch ask one after another. */
function forStep<T>(compute: (step: Step) => T): (step: Step) => T {
  let known: { readonly step: Step; readonly value: T } | undefined;
  return (step) => {
    if (known?.step !== step) known = { step, value: compute(step) };
    return known.value;
  };
}

function workOf({ count, each }: Cut): number {
  return count * each;
}
