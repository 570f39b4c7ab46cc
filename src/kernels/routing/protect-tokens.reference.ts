import { boundsOf, ROUNDING } from './sequence.ts';

/**
 * 1 for the floor(top T) tokens of a sequence of T with the largest values, 2 for the floor(bottom T) with the smallest, else
 * 0. Equal values count in order of their positions; a token of both is 1.
 *
 * values [tokens] -> [tokens]
 */
export function protectTokensReference(
  values: Float32Array,
  offsets: ArrayLike<number> | undefined,
  { tokens, top, bottom }: { readonly tokens: number; readonly top: number; readonly bottom: number },
): Uint32Array<ArrayBuffer> {
  const protection = new Uint32Array(tokens);
  for (const [first, end] of boundsOf(offsets, tokens)) {
    const own = Array.from({ length: end - first }, (_, index) => first + index);
    const count = (share: number) => Math.floor(share * own.length * (1 + ROUNDING));
    const rising = own.toSorted((a, b) => values[a]! - values[b]! || a - b);
    const falling = own.toSorted((a, b) => values[b]! - values[a]! || a - b);
    for (const t of rising.slice(0, count(bottom))) protection[t] = 2;
    for (const t of falling.slice(0, count(top))) protection[t] = 1;
  }
  return protection;
}
