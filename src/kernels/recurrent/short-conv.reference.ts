/** Sizes of a short convolution. */
export interface ShortConvOptions {
  readonly tokens: number;
  readonly cols: number;
  readonly taps: number;
}

/**
 * y[t, c] = outGate[t, c] * sum over taps l of weight[c, l] * u(t - taps + 1 + l, c), u = inGate * x
 *
 * gatesX [tokens, 3 * cols]: inGate, outGate, x; weight [cols, taps]; before [taps - 1, cols]: u of the tokens before the
 * step, the latest last -> y [tokens, cols], after: `before` of the next step
 */
export function shortConvReference(
  gatesX: Float32Array,
  weight: Float32Array,
  before: Float32Array,
  { tokens, cols, taps }: ShortConvOptions,
): { y: Float32Array<ArrayBuffer>; after: Float32Array<ArrayBuffer> } {
  const earlier = (taps - 1) * cols;
  const u = new Float32Array(earlier + tokens * cols); // of the tokens before, and of the step's
  u.set(before.subarray(0, earlier));
  for (let t = 0; t < tokens; t += 1) {
    for (let c = 0; c < cols; c += 1) {
      const row = 3 * t * cols + c;
      u[earlier + t * cols + c] = gatesX[row]! * gatesX[row + 2 * cols]!;
    }
  }
  const y = new Float32Array(tokens * cols);
  for (let t = 0; t < tokens; t += 1) {
    for (let c = 0; c < cols; c += 1) {
      let sum = 0;
      for (let l = 0; l < taps; l += 1) sum += weight[c * taps + l]! * u[(t + l) * cols + c]!;
      y[t * cols + c] = gatesX[(3 * t + 1) * cols + c]! * sum;
    }
  }
  return { y, after: u.slice(tokens * cols) };
}
