import { softplus } from './functions.reference.ts';

/** Sizes of a scan, the place of dt in the projection, and its bounds. */
export interface StateScanOptions {
  readonly tokens: number;
  readonly heads: number;
  readonly dims: number; // of a head
  readonly groups: number; // of heads that share B and C
  readonly states: number;
  readonly stride: number; // columns of the projection
  readonly first: number; // of its columns of dt
  readonly lowest: number;
  readonly highest: number;
}

/** Inputs of a scan. */
export interface StateScanGiven {
  readonly projected: Float32Array; // [tokens, stride]
  readonly mixed: Float32Array; // [tokens, heads * dims + 2 * groups * states]: x, B, C
  readonly rates: Float32Array; // [3, heads]: a_log, D, dt_bias
  readonly before: Float32Array; // [states, heads * dims]
}

/**
 * For each token and head: S = exp(dt A) S + dt x B^T, y = S C + D x; dt = clamp(softplus(x_dt + dt_bias), lowest, highest),
 * A = -exp(a_log)
 *
 * -> y [tokens, heads * dims], after: S after the last token
 */
export function stateScanReference(
  { projected, mixed, rates, before }: StateScanGiven,
  options: StateScanOptions,
): { y: Float32Array<ArrayBuffer>; after: Float32Array<ArrayBuffer> } {
  const { tokens, heads, dims, groups, states, stride, first, lowest, highest } = options;
  const cols = heads * dims;
  const width = cols + 2 * groups * states;
  const state = Float64Array.from(before);
  const y = new Float32Array(tokens * cols);
  for (let t = 0; t < tokens; t += 1) {
    const row = mixed.subarray(t * width, (t + 1) * width);
    for (let c = 0; c < cols; c += 1) {
      const head = Math.floor(c / dims);
      const raw = projected[t * stride + first + head]! + rates[2 * heads + head]!;
      const dt = Math.min(Math.max(softplus(raw), lowest), highest);
      const decay = Math.exp(-dt * Math.exp(rates[head]!));
      const b = cols + Math.floor(head / (heads / groups)) * states;
      let sum = rates[heads + head]! * row[c]!;
      for (let n = 0; n < states; n += 1) {
        const next = decay * state[n * cols + c]! + dt * row[c]! * row[b + n]!;
        state[n * cols + c] = next;
        sum += next * row[b + groups * states + n]!;
      }
      y[t * cols + c] = sum;
    }
  }
  return { y, after: Float32Array.from(state) };
}
