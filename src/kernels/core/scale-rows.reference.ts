/**
 * y[t, c] = factors[first + t] * x[t, c]
 *
 * x [tokens, cols] -> y [tokens, cols]
 */
export function scaleRowsReference(
  x: Float32Array,
  factors: Float32Array,
  { cols, first }: { cols: number; first: number },
): Float32Array<ArrayBuffer> {
  return Float32Array.from(x, (value, i) => factors[first + Math.floor(i / cols)]! * value);
}
