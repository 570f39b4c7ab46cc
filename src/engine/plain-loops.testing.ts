/** Parts of a decoder as plain loops in f64, for models that tests compare with: apart from the references of kernels. */

type Values = ArrayLike<number>;

/** y = matrix x; x has as many elements as a row. */
export function product(matrix: Values, x: readonly number[]): number[] {
  const cols = x.length;
  return Array.from({ length: matrix.length / cols }, (_, row) =>
    x.reduce((sum, value, col) => sum + value * (matrix[row * cols + col] ?? 0), 0),
  );
}

/** x / rms(x) * gain */
export function normed(x: readonly number[], gain: Values, eps: number): number[] {
  const scale = 1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length + eps);
  return x.map((value, i) => value * scale * (gain[i] ?? 0));
}

export function softmax(x: readonly number[]): number[] {
  const most = Math.max(...x);
  const powers = x.map((value) => Math.exp(value - most));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}

/** The keys and values of every position so far, [position][kvHeads * headDim]. */
export interface Attended {
  readonly keys: readonly (readonly number[])[];
  readonly values: readonly (readonly number[])[];
  readonly heads: number;
  readonly kvHeads: number;
  readonly window?: number; // default: all keys
  readonly scale?: number; // of scores; default: 1 / sqrt(headDim)
  readonly sinks?: Values; // [heads]: scores of a key without a value
  readonly bias?: readonly (readonly number[])[]; // [position][kvHeads], added to scores
}

/** Attention of one token, q [heads * headDim], to the keys of its position and before. */
export function attended(
  q: readonly number[],
  { keys, values, heads, kvHeads, window, bias, sinks, ...rest }: Attended,
): number[] {
  const headDim = q.length / heads;
  const { scale = 1 / Math.sqrt(headDim) } = rest;
  const first = window === undefined ? 0 : Math.max(0, keys.length - window);
  const seen = values.slice(first);
  return Array.from({ length: heads }, (_, head) => {
    const kvHead = Math.floor(head / (heads / kvHeads));
    const from = kvHead * headDim;
    const query = q.slice(head * headDim, (head + 1) * headDim);
    const scores = keys.slice(first).map((key, index) => {
      const dot = query.reduce((sum, value, i) => sum + value * (key[from + i] ?? 0), 0);
      return dot * scale + (bias?.[first + index]?.[kvHead] ?? 0);
    });
    const weights = softmax(sinks ? [...scores, sinks[head] ?? 0] : scores).slice(0, seen.length);
    return Array.from({ length: headDim }, (_, i) =>
      weights.reduce((sum, weight, t) => sum + weight * (seen[t]?.[from + i] ?? 0), 0),
    );
  }).flat();
}

/** Rotary positions of pairs (i, i + rotaryDim / 2) of each head; the elements behind the first rotaryDim stay. */
export function rotatedHalves(
  x: readonly number[],
  headDim: number,
  theta: number,
  position: number,
  rotaryDim = headDim,
): number[] {
  const half = rotaryDim / 2;
  return x.map((value, at) => {
    const inHead = at % headDim;
    if (inHead >= rotaryDim) return value;
    const pair = inHead % half;
    const angle = position * theta ** (-pair / half);
    const other = inHead < half ? -(x[at + half] ?? 0) : (x[at - half] ?? 0);
    return value * Math.cos(angle) + other * Math.sin(angle);
  });
}
