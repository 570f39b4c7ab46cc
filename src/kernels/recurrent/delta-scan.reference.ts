import { sigmoid, softplus } from './functions.reference.ts';
import type { StateScanGiven } from './state-scan.reference.ts';

/** Sizes of a scan, and the place of b and a in the projection. */
export interface DeltaScanOptions {
  readonly tokens: number;
  readonly keyHeads: number;
  readonly keyDim: number;
  readonly heads: number; // of values; a multiple of keyHeads
  readonly dims: number; // of a head of values
  readonly stride: number; // columns of the projection
  readonly first: number; // of b of all heads; a follows
  readonly tiled: boolean; // head h has the key head h % keyHeads; else h / (heads / keyHeads)
}

const LENGTH_EPS = 1e-6;

/** The vector of a head at a place, scaled to length 1. */
function unit(row: Float32Array, at: number, count: number): number[] {
  const values = [...row.subarray(at, at + count)];
  const square = values.reduce((sum, value) => sum + value * value, 0);
  return values.map((value) => value / Math.sqrt(square + LENGTH_EPS));
}

/**
 * For each token and head: S = exp(g) S; d = beta (v - S^T k); S = S + k d^T; y = S^T q / sqrt(keyDim), for q and k of length 1;
 * beta = sigmoid(b), g = -exp(a_log) softplus(a + a_bias)
 *
 * projected [tokens, stride]; mixed [tokens, 2 * keyHeads * keyDim + heads * dims]: q, k, v; rates [2, heads]: a_log, a_bias;
 * before [keyDim, heads * dims] -> y [tokens, heads * dims], after: S after the last token
 */
export function deltaScanReference(
  { projected, mixed, rates, before }: StateScanGiven,
  { tokens, keyHeads, keyDim, heads, dims, stride, first, tiled }: DeltaScanOptions,
): { y: Float32Array<ArrayBuffer>; after: Float32Array<ArrayBuffer> } {
  const cols = heads * dims;
  const keys = keyHeads * keyDim;
  const state = Float64Array.from(before);
  const y = new Float32Array(tokens * cols);
  for (let t = 0; t < tokens; t += 1) {
    const row = mixed.subarray(t * (2 * keys + cols), (t + 1) * (2 * keys + cols));
    for (let head = 0; head < heads; head += 1) {
      const gates = t * stride + first + head;
      const beta = sigmoid(projected[gates]!);
      const decay = Math.exp(
        -Math.exp(rates[head]!) * softplus(projected[gates + heads]! + rates[heads + head]!),
      );
      const keyHead = tiled ? head % keyHeads : Math.floor(head / (heads / keyHeads));
      const key = keyHead * keyDim;
      const q = unit(row, key, keyDim);
      const k = unit(row, keys + key, keyDim);
      for (let c = head * dims; c < (head + 1) * dims; c += 1) {
        let recalled = 0;
        for (let i = 0; i < keyDim; i += 1) recalled += decay * state[i * cols + c]! * k[i]!;
        const written = beta * (row[2 * keys + c]! - recalled);
        let sum = 0;
        for (let i = 0; i < keyDim; i += 1) {
          const next = decay * state[i * cols + c]! + k[i]! * written;
          state[i * cols + c] = next;
          sum += next * q[i]!;
        }
        y[t * cols + c] = sum / Math.sqrt(keyDim);
      }
    }
  }
  return { y, after: Float32Array.from(state) };
}
