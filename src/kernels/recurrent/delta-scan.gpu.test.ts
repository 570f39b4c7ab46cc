import { describe, test } from 'vitest';
import { expectClose, numbers, randomNormal, runKernel, runnable, testGpu } from '../testing.ts';
import { deltaScan } from './delta-scan.ts';
import { deltaScanReference } from './delta-scan.reference.ts';

const gpu = await testGpu();
const variants = runnable(gpu, deltaScan);

describe.each(variants.map((variant) => [deltaScan.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([
      { tokens: 1, keyHeads: 1, keyDim: 4, heads: 1, dims: 4, stride: 2, first: 0, tiled: false },
      { tokens: 5, keyHeads: 2, keyDim: 7, heads: 6, dims: 11, stride: 20, first: 5, tiled: false },
      { tokens: 5, keyHeads: 2, keyDim: 7, heads: 6, dims: 11, stride: 20, first: 5, tiled: true },
      { tokens: 70, keyHeads: 2, keyDim: 16, heads: 4, dims: 16, stride: 10, first: 2, tiled: false },
    ])('%o', async (options) => {
      const { tokens, keyHeads, keyDim, heads, dims, stride, first, tiled } = options;
      const cols = heads * dims;
      const projected = randomNormal(tokens * stride, 1);
      const mixed = randomNormal(tokens * (2 * keyHeads * keyDim + cols), 2);
      const rates = randomNormal(2 * heads, 3);
      const before = randomNormal(keyDim * cols, 4);
      const { y, after } = await runKernel(gpu, deltaScan, variant, {
        buffers: {
          projected,
          mixed,
          rates,
          before,
          after: { type: 'f32', count: keyDim * cols },
          y: { type: 'f32', count: tokens * cols },
        },
        params: {
          tokens,
          key_heads: keyHeads,
          key_dim: keyDim,
          heads,
          dims,
          stride,
          first,
          tiled: Number(tiled),
        },
        size: { cols },
      });
      const given = { projected, mixed };
      const want = deltaScanReference({ ...given, rates, before }, options);
      // Each token rounds the state once more; exp and log of a GPU are within a few units of the last place.
      expectClose(numbers(y), want.y, { absolute: 1e-4, relative: 1e-4 });
      expectClose(numbers(after), want.after, { absolute: 1e-4, relative: 1e-4 });
    });
  },
);

test('the reference gives hand-computed states, in one step or in two', () => {
  // b and a are so large or small that beta is 1, and that nothing is forgotten.
  const rates = Float32Array.of(0, 0);
  const step = (rows: readonly (readonly number[])[], before: Float32Array) =>
    deltaScanReference(
      {
        projected: Float32Array.from(rows.flatMap(() => [100, -100])),
        mixed: Float32Array.from(rows.flat()), // q, k, v
        rates,
        before,
      },
      {
        tokens: rows.length,
        ...{ keyHeads: 1, keyDim: 4, heads: 1, dims: 1, stride: 2, first: 0, tiled: false },
      },
    );
  // The value 8 is stored under the first key and read with half of it; then it is replaced by 6.
  const rows = [
    [1, 1, 1, 1, 5, 0, 0, 0, 8],
    [2, 0, 0, 0, 3, 0, 0, 0, 6],
  ];
  const whole = step(rows, new Float32Array(4));
  expectClose(whole.y, [8 / 2 / 2, 6 / 2], { absolute: 1e-5, relative: 1e-5 });
  expectClose(whole.after, [6, 0, 0, 0], { absolute: 1e-5, relative: 1e-5 });
  const first = step(rows.slice(0, 1), new Float32Array(4));
  expectClose(step(rows.slice(1), first.after).y, whole.y.slice(1), { absolute: 1e-6, relative: 1e-6 });
});
