import { describe, expect, test } from 'vitest';
import { expectClose, numbers, randomNormal, runKernel, runnable, testGpu, tolerance } from '../testing.ts';
import { causalConv } from './causal-conv.ts';
import { causalConvReference } from './causal-conv.reference.ts';

const gpu = await testGpu();
const variants = runnable(gpu, causalConv);

describe.each(variants.map((variant) => [causalConv.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([
      { tokens: 1, cols: 4, taps: 2, stride: 4, first: 0 },
      { tokens: 2, cols: 63, taps: 4, stride: 100, first: 7 },
      { tokens: 3, cols: 65, taps: 3, stride: 70, first: 5 },
      { tokens: 130, cols: 96, taps: 4, stride: 130, first: 32 },
    ])('%o', async (options) => {
      const { tokens, cols, taps, stride } = options;
      const x = randomNormal(tokens * stride, 1);
      const weight = randomNormal(cols * taps, 2);
      const before = randomNormal((taps - 1) * cols, 3);
      const bias = randomNormal(cols, 4);
      const { y, after } = await runKernel(gpu, causalConv, variant, {
        buffers: {
          x,
          weight,
          bias, // bound if the variant has it
          before,
          after: { type: 'f32', count: (taps - 1) * cols },
          y: { type: 'f32', count: tokens * cols },
        },
        params: options,
        size: options,
      });
      const given = { x, weight, before, ...(variant.biased ? { bias } : {}) };
      const want = causalConvReference(given, options);
      expectClose(numbers(y), want.y, tolerance('f32'));
      expectClose(numbers(after), want.after, { absolute: 1e-6, relative: 1e-6 });
    });
  },
);

test('the reference gives hand-computed sums, in one step or in two', () => {
  const weight = Float32Array.of(1, 10);
  const bias = Float32Array.of(-100);
  const step = (x: readonly number[], before: Float32Array) =>
    causalConvReference(
      { x: Float32Array.from(x.flatMap((value) => [9, value])), weight, bias, before },
      { tokens: x.length, cols: 1, taps: 2, stride: 2, first: 1 },
    );
  const whole = step([30, 50, 70], new Float32Array(1));
  expect([...whole.y]).toEqual([200, 430, 650]); // the sigmoids of such sums are 1
  expect([...whole.after]).toEqual([70]);
  const first = step([30], new Float32Array(1));
  expect([...first.y, ...step([50, 70], first.after).y]).toEqual([...whole.y]);
});
