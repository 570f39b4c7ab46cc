import { gated } from '../core/activation.reference.ts';

/** The matrices of one expert as f32: gate and up [width, hidden], down [hidden, width]; and its biases, if any. */
export interface ExpertMatrices {
  readonly gate: Float32Array;
  readonly up: Float32Array;
  readonly down: Float32Array;
  readonly gateBias?: Float32Array | undefined; // [width]
  readonly upBias?: Float32Array | undefined; // [width]
  readonly downBias?: Float32Array | undefined; // [hidden]
}

/** Matrices by expert number; undefined if the expert is absent or does not exist: it contributes nothing. */
export type ExpertLookup = (expert: number) => ExpertMatrices | undefined;

/** Sizes and activation of gated experts. */
export interface ExpertGluOptions {
  readonly tokens: number;
  readonly topK: number;
  readonly hidden: number;
  readonly width: number;
  readonly act: number; // a code of GLU_ACTIVATIONS
}

/**
 * y[t, :] = sum over ranks r of weights[t, r] * down_e (act(gate_e x[t, :]) * (up_e x[t, :])), e = ids[t, r];
 * with biases, gate_e x + bias, up_e x + bias and down_e (...) + bias (Mixtral, Jiang et al. 2024; GLU variants, Shazeer 2020)
 *
 * x [tokens, hidden], ids and weights [tokens, topK] -> y [tokens, hidden]
 */
export function expertGluReference(
  x: Float32Array,
  ids: Uint32Array,
  weights: Float32Array,
  expert: ExpertLookup,
  options: ExpertGluOptions,
): Float32Array<ArrayBuffer> {
  const h = expertGateUpReference(x, ids, expert, options);
  const out = expertDownReference(h, ids, expert, options);
  return expertCombineReference(out, weights, options);
}

/**
 * h[pair, i] = act(gate_e[i, :] . x[t, :]) * (up_e[i, :] . x[t, :]), pair = t * topK + rank
 *
 * -> h [tokens * topK, width]
 */
export function expertGateUpReference(
  x: Float32Array,
  ids: Uint32Array,
  expert: ExpertLookup,
  { tokens, topK, hidden, width, act }: ExpertGluOptions,
): Float32Array<ArrayBuffer> {
  const h = new Float32Array(tokens * topK * width);
  for (let pair = 0; pair < tokens * topK; pair += 1) {
    const matrices = expert(ids[pair]!);
    if (!matrices) continue;
    const { gate, up, gateBias, upBias } = matrices;
    const input = Math.floor(pair / topK) * hidden;
    for (let i = 0; i < width; i += 1) {
      const row = i * hidden;
      let opened = gateBias?.[i] ?? 0;
      let raised = upBias?.[i] ?? 0;
      for (let k = 0; k < hidden; k += 1) {
        const value = x[input + k]!;
        opened += gate[row + k]! * value;
        raised += up[row + k]! * value;
      }
      h[pair * width + i] = gated(act, opened, raised);
    }
  }
  return h;
}

/**
 * out[pair, o] = down_e[o, :] . h[pair, :]
 *
 * h [tokens * topK, width] -> out [tokens * topK, hidden]
 */
export function expertDownReference(
  h: Float32Array,
  ids: Uint32Array,
  expert: ExpertLookup,
  { tokens, topK, hidden, width }: Omit<ExpertGluOptions, 'act'>,
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(tokens * topK * hidden);
  for (let pair = 0; pair < tokens * topK; pair += 1) {
    const matrices = expert(ids[pair]!);
    if (!matrices) continue;
    const { down, downBias } = matrices;
    const input = pair * width;
    for (let o = 0; o < hidden; o += 1) {
      const row = o * width;
      let sum = downBias?.[o] ?? 0;
      for (let i = 0; i < width; i += 1) sum += down[row + i]! * h[input + i]!;
      out[pair * hidden + o] = sum;
    }
  }
  return out;
}

/**
 * y[t, :] = sum over ranks r of weights[t, r] * out[t * topK + r, :]
 *
 * out [tokens * topK, hidden], weights [tokens, topK] -> y [tokens, hidden]
 */
export function expertCombineReference(
  out: Float32Array,
  weights: Float32Array,
  { tokens, topK, hidden }: Pick<ExpertGluOptions, 'tokens' | 'topK' | 'hidden'>,
): Float32Array<ArrayBuffer> {
  const y = new Float32Array(tokens * hidden);
  for (let t = 0; t < tokens; t += 1) {
    for (let o = 0; o < hidden; o += 1) {
      let sum = 0;
      for (let r = 0; r < topK; r += 1) {
        const pair = t * topK + r;
        sum += weights[pair]! * out[pair * hidden + o]!;
      }
      y[t * hidden + o] = sum;
    }
  }
  return y;
}
