/**
 * y[r, o] = multiplier * (sum_k x[r, k] * w[o, k] + bias[o])
 *
 * x [rows, cols], w [outs, cols], bias [outs] or undefined -> y [rows, outs]
 *
 * For the speed of the CPU executor, sums run in four f64 lanes, and each row of weights is used for all rows of x.
 */
export function linearReference(
  x: Float32Array,
  w: Float32Array,
  bias: Float32Array | undefined,
  { rows, cols, outs, multiplier }: { rows: number; cols: number; outs: number; multiplier: number },
): Float32Array<ArrayBuffer> {
  const y = new Float32Array(rows * outs);
  const whole = cols - (cols % 4);
  for (let o = 0; o < outs; o += 1) {
    const weights = o * cols;
    const offset = bias ? bias[o]! : 0;
    for (let r = 0; r < rows; r += 1) {
      const values = r * cols;
      let a = 0;
      let b = 0;
      let c = 0;
      let d = 0;
      for (let k = 0; k < whole; k += 4) {
        a += x[values + k]! * w[weights + k]!;
        b += x[values + k + 1]! * w[weights + k + 1]!;
        c += x[values + k + 2]! * w[weights + k + 2]!;
        d += x[values + k + 3]! * w[weights + k + 3]!;
      }
      for (let k = whole; k < cols; k += 1) a += x[values + k]! * w[weights + k]!;
      y[r * outs + o] = multiplier * (a + b + (c + d) + offset);
    }
  }
  return y;
}
