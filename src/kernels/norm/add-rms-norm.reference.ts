import { rmsNormReference } from './rms-norm.reference.ts';

/**
 * sum = x + scale * branch; y[r, c] = sum[r, c] * gain[c] / sqrt(mean_c(sum[r, c]^2) + eps)
 *
 * x, branch [rows, cols], gain [cols] -> sum, y [rows, cols]
 */
export function addRmsNormReference(
  x: Float32Array,
  branch: Float32Array,
  gain: Float32Array,
  { rows, cols, eps, scale }: { rows: number; cols: number; eps: number; scale: number },
): { sum: Float32Array<ArrayBuffer>; y: Float32Array<ArrayBuffer> } {
  const sum = new Float32Array(rows * cols);
  for (let i = 0; i < sum.length; i += 1) sum[i] = x[i]! + scale * branch[i]!;
  return { sum, y: new Float32Array(rmsNormReference(sum, gain, { rows, cols, eps })) };
}
