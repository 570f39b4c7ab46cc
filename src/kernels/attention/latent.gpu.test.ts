import { describe, expect, test } from 'vitest';
import { latentKeys, latentQuery, latentValues } from './latent.ts';
import { latentKeysReference, latentQueryReference, latentValuesReference } from './latent.reference.ts';
import { ropeAngles } from './rope-angles.ts';
import { ROPE_STYLES } from './rope-angles.ts';
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

const CASES = [
  { tokens: 1, past: 0, heads: 1, nope: 4, rotary: 4, rank: 4, dims: 4, style: 'pair' },
  { tokens: 3, past: 2, heads: 4, nope: 16, rotary: 8, rank: 32, dims: 16, style: 'pair' },
  { tokens: 2, past: 5, heads: 3, nope: 20, rotary: 12, rank: 68, dims: 9, style: 'half' },
  { tokens: 2, past: 0, heads: 2, nope: 128, rotary: 64, rank: 512, dims: 128, style: 'pair' },
] as const;

/** Sums over `terms` products, in f32 in another order than the reference. */
const sums = (scalar: 'f32' | 'f16', terms: number) =>
  scalar === 'f32' ? { absolute: 1e-6 * Math.sqrt(terms), relative: 1e-5 } : tolerance('f16');

const keyed = <V>(kernel: { key: (variant: V) => string }, variants: readonly V[]) =>
  variants.map((variant) => [kernel.key(variant), variant] as const);

describe.each(keyed(latentQuery, runnable(gpu, latentQuery)))('%s', (_key, variant) => {
  test.each(CASES)('%o', async (options) => {
    const { tokens, past, heads, nope, rotary, rank, style } = options;
    const q = randomNormal(tokens * heads * (nope + rotary), 1);
    const weight = randomNormal(heads * rank * nope, 2, nope ** -0.5);
    const angles = ropeAngles({ theta: 10_000, rotaryDim: rotary, positions: past + tokens });
    const rows = tokens * heads;
    const { y } = await runKernel(gpu, latentQuery, variant, {
      buffers: {
        q: scalars(q, variant.scalar),
        weight,
        angles,
        y: { type: variant.scalar, count: rows * (rank + rotary) },
      },
      params: { tokens, past, heads, nope, rotary, rank, style: ROPE_STYLES[style] },
      size: { rows, cols: rank + rotary },
    });
    const want = latentQueryReference(rounded(q, variant.scalar), weight, angles, options);
    expectClose(numbers(y), want, sums(variant.scalar, nope));
  });
});

describe.each(keyed(latentKeys, runnable(gpu, latentKeys)))('%s', (_key, variant) => {
  test.each(CASES)('%o', async (options) => {
    const { tokens, past, rotary, rank, style } = options;
    const size = rank + rotary;
    const x = randomNormal(tokens * size, 1);
    const gain = randomNormal(rank, 2);
    const angles = ropeAngles({ theta: 10_000, rotaryDim: rotary, positions: past + tokens });
    const old = randomNormal((past + tokens + 1) * size, 4); // rows before and after are unchanged
    const eps = 1e-6;
    const { cache } = await runKernel(gpu, latentKeys, variant, {
      buffers: { x: scalars(x, variant.scalar), gain, angles, cache: scalars(old, variant.scalar) },
      params: { tokens, past, rotary, rank, style: ROPE_STYLES[style], eps },
      size: { tokens },
    });
    const want = rounded(old, variant.scalar);
    const rows = latentKeysReference(rounded(x, variant.scalar), gain, angles, { ...options, eps });
    want.set(rows, past * size);
    expectClose(numbers(cache), want, tolerance(variant.scalar));
  });
});

describe.each(keyed(latentValues, runnable(gpu, latentValues)))('%s', (_key, variant) => {
  test.each(CASES)('%o', async (options) => {
    const { tokens, heads, dims, rotary, rank } = options;
    const o = randomNormal(tokens * heads * (rank + rotary), 1);
    const weight = randomNormal(heads * dims * rank, 2, rank ** -0.5);
    const rows = tokens * heads;
    const { y } = await runKernel(gpu, latentValues, variant, {
      buffers: {
        o: scalars(o, variant.scalar),
        weight,
        y: { type: variant.scalar, count: rows * dims },
      },
      params: { tokens, heads, dims, rotary, rank },
      size: { rows, cols: dims },
    });
    const want = latentValuesReference(rounded(o, variant.scalar), weight, options);
    expectClose(numbers(y), want, sums(variant.scalar, rank));
  });
});

test('the references give hand-computed rows', () => {
  const angles = Float32Array.of(0.6, 0.8);
  const shape = { tokens: 1, past: 0, rank: 2, rotary: 2, style: 'pair' } as const;
  const turned = [0.6 * 5 - 0.8 * 10, 0.6 * 10 + 0.8 * 5];
  const q = Float32Array.of(2, 5, 10);
  const y = latentQueryReference(q, Float32Array.of(3, 4), angles, { ...shape, heads: 1, nope: 1 });
  expectClose(y, [6, 8, ...turned]);
  const x = Float32Array.of(3, 4, 5, 10);
  const keys = latentKeysReference(x, Float32Array.of(1, 2), angles, { ...shape, eps: 0 });
  expectClose(keys, [3 / Math.sqrt(12.5), 8 / Math.sqrt(12.5), ...turned]);
  const values = latentValuesReference(x, Float32Array.of(1, 0, 1, 1), { ...shape, heads: 1, dims: 2 });
  expect([...values]).toEqual([3, 7]);
});
