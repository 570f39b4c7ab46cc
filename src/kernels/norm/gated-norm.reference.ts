import { silu } from '../recurrent/functions.reference.ts';

/** Sizes of a gated norm: rows of `groups` groups of `cols` columns, and the place of the gates in their projection. */
export interface GatedNormOptions {
  readonly tokens: number;
  readonly cols: number;
  readonly groups: number;
  readonly stride: number;
  readonly first: number;
  readonly isGateFirst: boolean;
  readonly eps: number;
}

/**
 * Over each group of columns: y = norm(x * silu(gate)) * gain, or norm(x) * gain * silu(gate)
 *
 * x [tokens, groups * cols], gates [tokens, stride], gain [cols] or [groups * cols] -> y [tokens, groups * cols]
 */
export function gatedNormReference(
  x: Float32Array,
  gates: Float32Array,
  gain: Float32Array,
  { tokens, cols, groups, stride, first, isGateFirst, eps }: GatedNormOptions,
): Float32Array {
  const y = new Float32Array(tokens * groups * cols);
  for (let row = 0; row < tokens * groups; row += 1) {
    const column = (row % groups) * cols;
    const gateOf = (c: number) => silu(gates[Math.floor(row / groups) * stride + first + column + c]!);
    let squares = 0;
    for (let c = 0; c < cols; c += 1) squares += (x[row * cols + c]! * (isGateFirst ? gateOf(c) : 1)) ** 2;
    const factor = 1 / Math.sqrt(squares / cols + eps);
    for (let c = 0; c < cols; c += 1) {
      y[row * cols + c] = x[row * cols + c]! * gateOf(c) * factor * gain[(column + c) % gain.length]!;
    }
  }
  return y;
}
