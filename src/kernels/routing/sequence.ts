/** Sequences of tokens, for kernels of rules that couple the tokens of a sequence. */
import offsetsSource from '../../../shaders/lib/sequence-offsets.wgsl?raw';
import oneSource from '../../../shaders/lib/sequence-one.wgsl?raw';
import type { Access, Bindings, Part } from '../../gpu/program.ts';

/** `one`: all tokens are a sequence; `offsets`: a buffer [sequences + 1] divides them. */
export type Division = 'one' | 'offsets';

/** WGSL `sequence_bounds`. */
export function sequencePart(division: Division): Part {
  return division === 'one'
    ? { name: 'lib/sequence-one.wgsl', text: oneSource }
    : { name: 'lib/sequence-offsets.wgsl', text: offsetsSource };
}

/** The bindings of a kernel, with those of the division. */
export function withOffsets<B extends Bindings>(bindings: B, division: Division): Record<string, Access> {
  return division === 'one' ? bindings : { ...bindings, offsets: 'read' };
}

/** First and end of each sequence. */
export function boundsOf(
  offsets: ArrayLike<number> | undefined,
  tokens: number,
): (readonly [number, number])[] {
  if (!offsets) return [[0, tokens]];
  const ends = Array.from(offsets);
  return ends.slice(1).map((end, index) => [ends[index] ?? 0, end] as const);
}

/** A share of a product that is meant to be whole, by which rooms are rounded; single precision has no better. */
export const ROUNDING = 2e-6;
