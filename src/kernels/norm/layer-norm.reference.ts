/**
 * y[r, c] = (x[r, c] - mean_c) * gain[c] / sqrt(variance_c + eps) + shift[c]
 *
 * x [rows, cols], gain and shift [cols] -> y [rows, cols]
 */
export function layerNormReference(
  x: Float32Array,
  gain: Float32Array,
  shift: Float32Array,
  { rows, cols, eps }: { rows: number; cols: number; eps: number },
): Float32Array {
  const y = new Float32Array(rows * cols);
  for (let r = 0; r < rows; r += 1) {
    let sum = 0;
    for (let c = 0; c < cols; c += 1) sum += x[r * cols + c]!;
    const mean = sum / cols;
    let squares = 0;
    for (let c = 0; c < cols; c += 1) squares += (x[r * cols + c]! - mean) ** 2;
    const factor = 1 / Math.sqrt(squares / cols + eps);
    for (let c = 0; c < cols; c += 1)
      y[r * cols + c] = (x[r * cols + c]! - mean) * factor * gain[c]! + shift[c]!;
  }
  return y;
}
