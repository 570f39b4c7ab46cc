/** Sizes of a product of pairs. */
export interface PairLinearOptions {
  readonly tokens: number;
  readonly places: number;
  readonly xPlaces: number; // 1: all places of a token read its row
  readonly experts: number;
  readonly outs: number;
  readonly cols: number;
  readonly ids?: ArrayLike<number> | undefined; // [tokens, places]; default: expert 0
  readonly bias?: ArrayLike<number> | undefined; // [experts, outs]
}

/**
 * y[t, r, o] = bias[e, o] + sum over c of weight[e, o, c] * x[t, r, c], e = ids[t, r]; 0 where e is no expert.
 *
 * x [tokens, xPlaces, cols], weight [experts, outs, cols] -> y [tokens, places, outs]
 */
export function pairLinearReference(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  { tokens, places, xPlaces, experts, outs, cols, ids, bias }: PairLinearOptions,
): Float32Array<ArrayBuffer> {
  const y = new Float32Array(tokens * places * outs);
  for (let place = 0; place < tokens * places; place += 1) {
    const e = ids ? ids[place]! : 0;
    if (e >= experts) continue;
    const row = (xPlaces === 1 ? Math.floor(place / places) : place) * cols;
    for (let out = 0; out < outs; out += 1) {
      const matrix = (e * outs + out) * cols;
      let sum = 0;
      for (let c = 0; c < cols; c += 1) sum += weight[matrix + c]! * x[row + c]!;
      y[place * outs + out] = sum + (bias ? bias[e * outs + out]! : 0);
    }
  }
  return y;
}
