/** Shared by the tests of all attention kernels: a control case, its inputs and the expected result. */
import type { Scalar } from '../common.ts';
import { attentionReference, type AttentionOptions } from './attention.reference.ts';
import { randomNormal, rounded, scalars } from '../testing.ts';

export const CONTROL: AttentionOptions = {
  tokens: 2,
  past: 70,
  heads: 4,
  kvHeads: 2,
  headDim: 32,
  scale: 32 ** -0.5,
  window: 0,
};

/** Variations of the control case, one property each. */
export const ATTENTION_CASES: readonly Partial<AttentionOptions>[] = [
  { tokens: 1, past: 0 },
  { tokens: 8 },
  { past: 13 }, // 14 and 15 keys: the edge of a record of 16
  { past: 15 },
  { past: 61 },
  { past: 62 },
  { past: 63 },
  { past: 197 },
  { heads: 2, kvHeads: 2 },
  { heads: 3, kvHeads: 1 },
  { heads: 10, kvHeads: 2 },
  { heads: 9, kvHeads: 1 },
  { headDim: 4 },
  { headDim: 12 },
  { headDim: 64 },
  { window: 1 },
  { window: 7 },
  { window: 71 },
  { window: 500 },
  { chunk: 1 },
  { chunk: 7 },
  { chunk: 500 },
  { scale: 3 },
];

/** With scores of sinks below, among and far above those of the keys. */
export const SINK_CASES: readonly Partial<AttentionOptions>[] = [
  { tokens: 1, past: 0 },
  {},
  { heads: 3, kvHeads: 1 },
  { heads: 10, kvHeads: 2, tokens: 5 },
  { heads: 9, kvHeads: 1, window: 7 },
  { tokens: 33, past: 90, heads: 6, kvHeads: 2 },
];

/** The control case with some changes, and with sinks or biases of keys if a variant has them. */
export function attentionOptions(
  { sinks = false, biased = false }: { readonly sinks?: boolean; readonly biased?: boolean },
  changes: Partial<AttentionOptions>,
): AttentionOptions {
  const options = { ...CONTROL, ...changes };
  const { tokens, past, heads, kvHeads } = options;
  return {
    ...options,
    ...(sinks ? { sinks: testSinks(heads) } : {}),
    ...(biased ? { keyBias: randomNormal((past + tokens) * kvHeads, 7, 3) } : {}),
  };
}

/** The scores of sinks for some heads: the first is far above all others, the second far below. */
function testSinks(heads: number): Float32Array<ArrayBuffer> {
  const sinks = randomNormal(heads, 5, 3);
  sinks.set([60, -200].slice(0, heads));
  return sinks;
}

/** The largest shape under test. */
export const LONG: AttentionOptions = {
  tokens: 1,
  past: 4097,
  heads: 64,
  kvHeads: 8,
  headDim: 128,
  scale: 128 ** -0.5,
  window: 0,
};

/** Inputs with spread-out scores; rows after the last visible key hold large numbers that must not be read. */
export function attentionCase(options: AttentionOptions, scalar: Scalar) {
  const { tokens, past, heads, kvHeads, headDim } = options;
  const row = kvHeads * headDim;
  const q = randomNormal(tokens * heads * headDim, 1, 2);
  const k = cycled((past + tokens + 3) * row, 2);
  const v = cycled((past + tokens + 3) * row, 3);
  k.fill(6e4, (past + tokens) * row);
  v.fill(6e4, (past + tokens) * row);
  return {
    buffers: {
      q: scalars(q, scalar),
      k_cache: scalars(k, scalar),
      v_cache: scalars(v, scalar),
      key_bias: options.keyBias ? Float32Array.from(options.keyBias) : new Float32Array(1),
      sinks: options.sinks ? Float32Array.from(options.sinks) : new Float32Array(heads),
    },
    want: attentionReference(rounded(q, scalar), rounded(k, scalar), rounded(v, scalar), options),
    params: {
      tokens,
      past,
      heads,
      kv_heads: kvHeads,
      head_dim: headDim,
      scale: options.scale,
      window: options.window,
      chunk: options.chunk ?? 0,
      first_group: 0, // of kernels whose dispatches can be divided
    },
  };
}

/** Normally distributed values, repeated with a prime period, so that long caches are fast to generate. */
function cycled(count: number, seed: number): Float32Array<ArrayBuffer> {
  const once = randomNormal(Math.min(count, 65_537), seed);
  const values = new Float32Array(count);
  for (let at = 0; at < count; at += once.length) values.set(once.subarray(0, count - at), at);
  return values;
}

/** Scores are sums over the head and outputs are sums over the keys, in f32; f16 outputs are rounded. */
export function attentionTolerance(scalar: Scalar): { absolute: number; relative: number } {
  return scalar === 'f32' ? { absolute: 4e-6, relative: 1e-5 } : { absolute: 5e-4, relative: 1e-3 };
}
