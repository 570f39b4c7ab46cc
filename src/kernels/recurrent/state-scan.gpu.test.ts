import { describe, expect, test } from 'vitest';
import { expectClose, numbers, randomNormal, runKernel, runnable, testGpu } from '../testing.ts';
import { stateScan } from './state-scan.ts';
import { stateScanReference } from './state-scan.reference.ts';

const gpu = await testGpu();
const variants = runnable(gpu, stateScan);
const FREE = { lowest: 0, highest: 3.4028234663852886e38 };

describe.each(variants.map((variant) => [stateScan.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([
      { tokens: 1, heads: 1, dims: 4, groups: 1, states: 4, stride: 1, first: 0, ...FREE },
      { tokens: 5, heads: 6, dims: 11, groups: 2, states: 7, stride: 20, first: 13, ...FREE },
      {
        tokens: 70,
        heads: 4,
        dims: 16,
        groups: 1,
        states: 16,
        stride: 10,
        first: 6,
        lowest: 0.3,
        highest: 0.9,
      },
    ])('%o', async (options) => {
      const { tokens, heads, dims, groups, states, stride } = options;
      const cols = heads * dims;
      const projected = randomNormal(tokens * stride, 1, 3);
      const mixed = randomNormal(tokens * (cols + 2 * groups * states), 2);
      const rates = randomNormal(3 * heads, 3);
      const before = randomNormal(states * cols, 4);
      const { y, after } = await runKernel(gpu, stateScan, variant, {
        buffers: {
          projected,
          mixed,
          rates,
          before,
          after: { type: 'f32', count: states * cols },
          y: { type: 'f32', count: tokens * cols },
        },
        params: options,
        size: { cols },
      });
      const given = { projected, mixed };
      const want = stateScanReference({ ...given, rates, before }, options);
      // Each token rounds the state once more; exp and log of a GPU are within a few units of the last place.
      expectClose(numbers(y), want.y, { absolute: 2e-4, relative: 1e-4 });
      expectClose(numbers(after), want.after, { absolute: 1e-4, relative: 1e-4 });
    });
  },
);

test('the reference gives hand-computed states, in one step or in two', () => {
  // softplus(x) of a large x is x, and A = -log 2: dt = 1000 forgets everything, and D = 3.
  const rates = Float32Array.of(Math.log(Math.LN2), 3, 1000);
  const step = (xs: readonly number[], dts: readonly number[], before: Float32Array) =>
    stateScanReference(
      {
        projected: Float32Array.from(dts, (dt) => dt - 1000),
        mixed: Float32Array.from(xs.flatMap((x) => [x, 1, 2, 10, 100])), // B = (1, 2), C = (10, 100)
        rates,
        before,
      },
      {
        tokens: xs.length,
        ...{ heads: 1, dims: 1, groups: 1, states: 2, stride: 1, first: 0, lowest: 1, highest: 50 },
      },
    );
  const whole = step([4, 6], [1000, 0], Float32Array.of(7, 7));
  // dt = 50, then 1: S = 50 * 4 * B, then S / 2 + 6 B
  expect([...whole.after].map(Math.round)).toEqual([106, 212]);
  expect([...whole.y].map(Math.round)).toEqual([200 * 210 + 12, 106 * 210 + 18]);
  const first = step([4], [1000], Float32Array.of(7, 7));
  expect([...first.y, ...step([6], [0], first.after).y]).toEqual([...whole.y]);
});
