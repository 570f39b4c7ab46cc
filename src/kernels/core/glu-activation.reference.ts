import { activate } from './activation.reference.ts';

/**
 * y[r, c] = act(gateUp[r, c]) * gateUp[r, width + c]
 *
 * gateUp [rows, 2 * width] -> y [rows, width]
 */
export function gluActivationReference(
  gateUp: Float32Array,
  { rows, width, act }: { rows: number; width: number; act: number },
): Float32Array<ArrayBuffer> {
  const y = new Float32Array(rows * width);
  for (let r = 0; r < rows; r += 1) {
    const gate = 2 * r * width;
    for (let c = 0; c < width; c += 1) {
      y[r * width + c] = activate(act, gateUp[gate + c]!) * gateUp[gate + width + c]!;
    }
  }
  return y;
}
