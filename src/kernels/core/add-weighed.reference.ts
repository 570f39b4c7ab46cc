/** sum[r, c] = weights[c] * x[r, c] + scale * branch[r, c]: x, branch [rows, cols], weights [cols] -> sum [rows, cols] */
export function addWeighedReference(
  x: Float32Array,
  branch: Float32Array,
  weights: Float32Array,
  scale: number,
): Float32Array<ArrayBuffer> {
  return Float32Array.from(x, (value, at) => weights[at % weights.length]! * value + scale * branch[at]!);
}
