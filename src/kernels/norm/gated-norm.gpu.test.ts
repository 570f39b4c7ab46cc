import { describe, expect, test } from 'vitest';
import { expectClose, numbers, randomNormal, runKernel, runnable, testGpu, tolerance } from '../testing.ts';
import { gatedNorm } from './gated-norm.ts';
import { gatedNormReference } from './gated-norm.reference.ts';

const gpu = await testGpu();
const variants = runnable(gpu, gatedNorm);

describe.each(variants.map((variant) => [gatedNorm.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([
      { tokens: 1, cols: 4, groups: 1, stride: 4, first: 0, isGateFirst: true, gains: 4 },
      { tokens: 3, cols: 63, groups: 2, stride: 150, first: 11, isGateFirst: true, gains: 126 },
      { tokens: 2, cols: 65, groups: 3, stride: 200, first: 5, isGateFirst: false, gains: 65 },
      { tokens: 2, cols: 300, groups: 1, stride: 300, first: 0, isGateFirst: false, gains: 300 },
    ])('%o', async (options) => {
      const { tokens, cols, groups, stride, first, isGateFirst, gains } = options;
      const x = randomNormal(tokens * groups * cols, 1);
      x[0] = 1e6; // outside the range of f16
      const gates = randomNormal(tokens * stride, 2);
      const gain = randomNormal(gains, 3);
      const eps = 1e-6;
      const rows = tokens * groups;
      const { y } = await runKernel(gpu, gatedNorm, variant, {
        buffers: {
          x,
          gates,
          gain,
          y: { type: variant.scalar, count: rows * cols },
        },
        params: { rows, cols, groups, gains, stride, first, gate_first: Number(isGateFirst), eps },
        size: { rows },
      });
      const want = gatedNormReference(x, gates, gain, { ...options, eps });
      expectClose(numbers(y), want, tolerance(variant.scalar));
    });
  },
);

test('the reference gives hand-computed rows, the gate before or after the norm', () => {
  const gates = Float32Array.of(9, 50, 100); // their sigmoids are 1
  const row = (isGateFirst: boolean) =>
    gatedNormReference(Float32Array.of(8, 3), gates, Float32Array.of(1, 2), {
      ...{ tokens: 1, cols: 2, groups: 1, stride: 3, first: 1, eps: 0 },
      isGateFirst,
    });
  const expected = (a: number, b: number, rms: number) => [(50 * a) / rms, (200 * b) / rms];
  expectClose(row(true), expected(8, 3, Math.sqrt((400 ** 2 + 300 ** 2) / 2)), {
    absolute: 1e-6,
    relative: 1e-6,
  });
  expectClose(row(false), expected(8, 3, Math.sqrt(36.5)), { absolute: 1e-6, relative: 1e-6 });
  expect(row(true)).not.toEqual(row(false));
});
