import { silu } from './functions.reference.ts';

/** Sizes of a causal convolution of columns first .. first + cols - 1 of rows of `stride` columns. */
export interface CausalConvOptions {
  readonly tokens: number;
  readonly cols: number;
  readonly taps: number;
  readonly stride: number;
  readonly first: number;
}

/**
 * y[t, c] = silu(bias[c] + sum over taps l of weight[c, l] * x(t - taps + 1 + l, c))
 *
 * x [tokens, stride]; weight [cols, taps]; bias [cols] or none; before [taps - 1, cols]: x of the tokens before the step, the
 * latest last -> y [tokens, cols], after: `before` of the next step
 */
export function causalConvReference(
  given: {
    readonly x: Float32Array;
    readonly weight: Float32Array;
    readonly bias?: Float32Array | undefined;
    readonly before: Float32Array;
  },
  { tokens, cols, taps, stride, first }: CausalConvOptions,
): { y: Float32Array<ArrayBuffer>; after: Float32Array<ArrayBuffer> } {
  const { x, weight, bias, before } = given;
  const earlier = (taps - 1) * cols;
  const u = new Float32Array(earlier + tokens * cols); // of the tokens before, and of the step's
  u.set(before.subarray(0, earlier));
  for (let t = 0; t < tokens; t += 1) {
    const row = t * stride + first;
    u.set(x.subarray(row, row + cols), earlier + t * cols);
  }
  const y = new Float32Array(tokens * cols);
  for (let t = 0; t < tokens; t += 1) {
    for (let c = 0; c < cols; c += 1) {
      let sum = bias?.[c] ?? 0;
      for (let l = 0; l < taps; l += 1) sum += weight[c * taps + l]! * u[(t + l) * cols + c]!;
      y[t * cols + c] = silu(sum);
    }
  }
  return { y, after: u.slice(tokens * cols) };
}
