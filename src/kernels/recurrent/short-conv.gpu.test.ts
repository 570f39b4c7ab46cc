import { describe, expect, test } from 'vitest';
import { shortConv } from './short-conv.ts';
import { shortConvReference } from './short-conv.reference.ts';
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
const variants = runnable(gpu, shortConv);

describe.each(variants.map((variant) => [shortConv.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([
      { tokens: 1, cols: 4, taps: 3 },
      { tokens: 1, cols: 64, taps: 1 },
      { tokens: 2, cols: 63, taps: 4 },
      { tokens: 3, cols: 65, taps: 3 },
      { tokens: 130, cols: 96, taps: 3 },
    ])('%o', async (options) => {
      const { tokens, cols, taps } = options;
      const gatesX = randomNormal(3 * tokens * cols, 1);
      const weight = randomNormal(cols * taps, 2);
      const count = (taps - 1) * cols;
      const before = randomNormal(Math.max(1, count), 3);
      const { y, after } = await runKernel(gpu, shortConv, variant, {
        buffers: {
          gates_x: scalars(gatesX, variant.scalar),
          weight,
          before,
          after: { type: 'f32', count: Math.max(1, count) },
          y: { type: variant.scalar, count: tokens * cols },
        },
        params: options,
        size: options,
      });
      const want = shortConvReference(rounded(gatesX, variant.scalar), weight, before, options);
      expectClose(numbers(y), want.y, tolerance(variant.scalar));
      expectClose(numbers(after).slice(0, count), want.after, { absolute: 1e-6, relative: 1e-6 });
    });
  },
);

test('the reference gives hand-computed sums, in one step or in two', () => {
  const rows = [
    [2, 1, 5], // in_gate, out_gate, x: u = 10
    [1, 3, 4], // u = 4
    [1, 1, 1], // u = 1
  ];
  const weight = Float32Array.of(1, 10, 100);
  const step = (tokens: readonly (readonly number[])[], before: Float32Array) =>
    shortConvReference(Float32Array.from(tokens.flat()), weight, before, {
      tokens: tokens.length,
      cols: 1,
      taps: 3,
    });
  const whole = step(rows, new Float32Array(2));
  expect([...whole.y]).toEqual([1000, 3 * 500, 10 + 40 + 100]);
  expect([...whole.after]).toEqual([4, 1]);
  const first = step(rows.slice(0, 1), new Float32Array(2));
  const rest = step(rows.slice(1), first.after);
  expect([...first.y, ...rest.y]).toEqual([...whole.y]);
  expect(rest.after).toEqual(whole.after);
});
