/**
 * y[i] = cap * tanh(x[i] / cap)
 *
 * x [count] -> y [count]
 */
export function softCapReference(x: Float32Array, { cap }: { cap: number }): Float32Array<ArrayBuffer> {
  return Float32Array.from(x, (value) => cap * Math.tanh(value / cap));
}
