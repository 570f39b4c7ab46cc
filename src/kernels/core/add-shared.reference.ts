import { sigmoid } from './activation.reference.ts';

/**
 * y[t, c] = a[t, c] + factor * b[t, c], factor = sigmoid(gate[t]) if there is a gate, else scale
 *
 * a, b [tokens, cols], gate [tokens] or undefined -> y [tokens, cols]
 */
export function addSharedReference(
  a: Float32Array,
  b: Float32Array,
  gate: Float32Array | undefined,
  { tokens, cols, scale }: { tokens: number; cols: number; scale: number },
): Float32Array<ArrayBuffer> {
  const y = new Float32Array(tokens * cols);
  for (let t = 0; t < tokens; t += 1) {
    const factor = gate ? sigmoid(gate[t]!) : scale;
    for (let i = t * cols; i < (t + 1) * cols; i += 1) y[i] = a[i]! + factor * b[i]!;
  }
  return y;
}
