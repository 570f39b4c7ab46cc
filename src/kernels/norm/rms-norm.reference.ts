/**
 * y[r, c] = x[r, c] * gain[c] / sqrt(mean_c(x[r, c]^2) + eps)
 *
 * x [rows, cols], gain [cols] -> y [rows, cols]
 */
export function rmsNormReference(
  x: Float32Array,
  gain: Float32Array,
  { rows, cols, eps }: { rows: number; cols: number; eps: number },
): Float32Array {
  const y = new Float32Array(rows * cols);
  for (let r = 0; r < rows; r += 1) {
    let squares = 0;
    for (let c = 0; c < cols; c += 1) squares += x[r * cols + c]! ** 2;
    const factor = 1 / Math.sqrt(squares / cols + eps);
    for (let c = 0; c < cols; c += 1) y[r * cols + c] = x[r * cols + c]! * factor * gain[c]!;
  }
  return y;
}
