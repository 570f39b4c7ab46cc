import { rmsNormReference } from './rms-norm.reference.ts';

/**
 * y[r, c] = factor * (x[r, c] + scale * branch[r, c] * gain[c] / sqrt(mean_c(branch[r, c]^2) + eps))
 *
 * x, branch [rows, cols], gain [cols] -> y [rows, cols]
 */
export function addNormedReference(
  x: Float32Array,
  branch: Float32Array,
  gain: Float32Array,
  options: { rows: number; cols: number; eps: number; scale: number; factor: number },
): Float32Array {
  const { scale, factor } = options;
  return rmsNormReference(branch, gain, options).map((value, i) => factor * (x[i]! + scale * value));
}
