/**
 * y[c] = x[row, c]
 *
 * x [rows, cols] -> y [cols]
 */
export function takeRowReference(
  x: Float32Array<ArrayBuffer>,
  { row, cols }: { row: number; cols: number },
): Float32Array<ArrayBuffer> {
  return x.slice(row * cols, (row + 1) * cols);
}
