/** Sizes of product keys (Lample et al. 2019), and the normalisation of queries. */
export interface ProductKeysOptions {
  readonly rows: number; // tokens * heads
  readonly heads: number;
  readonly key: number;
  readonly n: number;
  /** Running statistics [heads, 2, key] of a batch norm without gain on the queries. */
  readonly norm?: { readonly mean: Float32Array; readonly variance: Float32Array; readonly eps: number };
}

/**
 * scores[t, h, s, j] = normalised query[t, h, s, :] . keys[s][j, :]
 *
 * query [tokens, heads, 2, key], keys x and y [n, key] -> scores [tokens, heads, 2, n]
 */
export function productKeysReference(
  query: Float32Array,
  keysX: Float32Array,
  keysY: Float32Array,
  { rows, heads, key, n, norm }: ProductKeysOptions,
): Float32Array {
  const scores = new Float32Array(2 * rows * n);
  const half = new Float64Array(key);
  for (let row = 0; row < 2 * rows; row += 1) {
    const columns = (row % (2 * heads)) * key;
    for (let c = 0; c < key; c += 1) {
      const value = query[row * key + c]!;
      half[c] = norm
        ? (value - norm.mean[columns + c]!) / Math.sqrt(norm.variance[columns + c]! + norm.eps)
        : value;
    }
    const keys = row % 2 === 0 ? keysX : keysY;
    for (let j = 0; j < n; j += 1) {
      let sum = 0;
      for (let c = 0; c < key; c += 1) sum += half[c]! * keys[j * key + c]!;
      scores[row * n + j] = sum;
    }
  }
  return scores;
}
