import { describe, expect, test } from 'vitest';
import { ropeAngles } from './rope-angles.ts';
import { ROPE_STYLES } from './rope-angles.ts';
import { ropeKv } from './rope-kv.ts';
import { ropeKvReference, type RopeKvOptions } from './rope-kv.reference.ts';
import {
  expectClose,
  numbers,
  randomNormal,
  rounded,
  runKernel,
  runnable,
  scalars,
  testGpu,
  tolerance,
} from '../testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, ropeKv);
type RopeVariant = (typeof variants)[number];

const CONTROL: Omit<RopeKvOptions, 'norm'> = {
  tokens: 2,
  past: 3,
  heads: 4,
  kvHeads: 2,
  headDim: 16,
  rotaryDim: 16,
  style: 'half',
  eps: 1e-6,
};

async function check(variant: RopeVariant, changes: Partial<RopeKvOptions>) {
  const options: RopeKvOptions = { ...CONTROL, ...changes, norm: variant.norm };
  const { tokens, past, heads, kvHeads, headDim, rotaryDim, style, eps, clip = 0 } = options;
  const qkv = randomNormal(tokens * (heads + 2 * kvHeads) * headDim, 1);
  const gains = (count: number, seed: number) =>
    randomNormal(headDim * (variant.norm === 'vector' ? count : 1), seed);
  const [qGain, kGain] = [gains(heads, 2), gains(kvHeads, 3)];
  const angles = ropeAngles({ theta: 10_000, rotaryDim, positions: past + tokens });
  const old = randomNormal((past + tokens + 1) * kvHeads * headDim, 4); // rows before and after are unchanged
  const { q, k_cache, v_cache } = await runKernel(gpu, ropeKv, variant, {
    buffers: {
      qkv: scalars(qkv, variant.scalar),
      angles: angles.length > 0 ? angles : new Float32Array(2),
      q: { type: variant.scalar, count: tokens * heads * headDim },
      k_cache: scalars(old, variant.scalar),
      v_cache: scalars(old, variant.scalar),
      q_gain: qGain,
      k_gain: kGain,
    },
    params: {
      tokens,
      past,
      heads,
      kv_heads: kvHeads,
      head_dim: headDim,
      rotary_dim: rotaryDim,
      style: ROPE_STYLES[style],
      eps,
      clip,
    },
    size: { tokens, heads, kvHeads },
  });
  const want = ropeKvReference(rounded(qkv, variant.scalar), angles, qGain, kGain, options);
  const cache = (rows: Float32Array<ArrayBuffer>) => {
    const whole = rounded(old, variant.scalar);
    whole.set(rows, past * kvHeads * headDim);
    return whole;
  };
  expectClose(numbers(q), want.q, { ...tolerance(variant.scalar), label: 'q' });
  expectClose(numbers(k_cache), cache(want.k), { ...tolerance(variant.scalar), label: 'k' });
  const exact = { absolute: 0, relative: 0 }; // unless they are normalised
  const ofValues = variant.norm === 'headAndValue' ? tolerance(variant.scalar) : exact;
  expectClose(numbers(v_cache), cache(want.v), { ...ofValues, label: 'v' });
}

const CASES: readonly Partial<RopeKvOptions>[] = [
  {},
  { tokens: 1, past: 0 },
  { style: 'pair' },
  { rotaryDim: 0 },
  { rotaryDim: 4 },
  { rotaryDim: 4, style: 'pair' },
  { heads: 1, kvHeads: 1 },
  { heads: 3, kvHeads: 1 },
  { headDim: 4, rotaryDim: 2 },
  { headDim: 68, rotaryDim: 68 },
  { headDim: 128, rotaryDim: 128 },
  { eps: 0.5 },
  { clip: 0.5 },
];

describe.each(variants.map((variant) => [ropeKv.key(variant), variant] as const))('%s', (_key, variant) => {
  test.each(CASES.map((changes) => [JSON.stringify(changes), changes] as const))('%s', (_name, changes) =>
    check(variant, changes),
  );
});

test('heads of 128, past 4097', async () => {
  for (const variant of variants.filter(({ norm, wg }) => norm === 'head' && wg === 64)) {
    await check(variant, { tokens: 1, past: 4097, heads: 4, kvHeads: 1, headDim: 128, rotaryDim: 128 });
  }
});

test('a grid beyond 65,535 workgroups is folded', async () => {
  const variant = variants.find(({ norm, wg }) => norm === 'none' && wg === 4)!;
  await check(variant, { tokens: 8200, headDim: 4, rotaryDim: 4 }); // 8 spans a token: 65,600
});

test('the reference rotates a hand-computed pair', () => {
  const angles = new Float32Array([0.6, 0.8]);
  const { q, k, v } = ropeKvReference(
    new Float32Array([1, 2, 3, 4, 5, 6]),
    angles,
    new Float32Array(),
    new Float32Array(),
    {
      tokens: 1,
      past: 0,
      heads: 1,
      kvHeads: 1,
      headDim: 2,
      rotaryDim: 2,
      style: 'half',
      norm: 'none',
      eps: 0,
    },
  );
  expectClose(q, [0.6 - 1.6, 1.2 + 0.8]);
  expectClose(k, [1.8 - 3.2, 2.4 + 2.4]);
  expect([...v]).toEqual([5, 6]);
});
