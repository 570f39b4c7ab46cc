import { describe, expect, test } from 'vitest';
import { layerNorm } from './layer-norm.ts';
import { layerNormReference } from './layer-norm.reference.ts';
import { expectClose, numbers, randomNormal, runKernel, runnable, testGpu, tolerance } from '../testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, layerNorm);

describe.each(variants.map((variant) => [layerNorm.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([
      [1, 1],
      [3, 63],
      [2, 64],
      [2, 65],
      [5, 257],
      [1, 2048],
    ])('%i x %i', async (rows, cols) => {
      const x = randomNormal(rows * cols, 1).map((value) => value + 100); // a mean far above the deviation
      x[0] = 1e6; // outside the range of f16: the stream is f32
      if (rows > 1) x.fill(0, cols, 2 * cols); // a row of zeros
      const [gain, shift] = [randomNormal(cols, 2), randomNormal(cols, 3)];
      const params = { rows, cols, eps: 1e-5 };
      const { y } = await runKernel(gpu, layerNorm, variant, {
        buffers: { x, gain, shift, y: { type: variant.scalar, count: rows * cols } },
        params,
        size: { rows },
      });
      const want = layerNormReference(x, gain, shift, params);
      // The mean, near 100, is rounded to 2^-17 of the deviation.
      const { absolute, relative } = tolerance(variant.scalar);
      expectClose(numbers(y), want, { absolute: Math.max(absolute, 4e-5), relative });
    });
  },
);

test('the reference gives a hand-computed row', () => {
  const options = { rows: 1, cols: 2, eps: 0 };
  const y = layerNormReference(
    Float32Array.of(3, 7),
    Float32Array.of(1, 2),
    Float32Array.of(10, 20),
    options,
  );
  expect([...y]).toEqual([9, 22]); // deviations -2, 2 over 2
});
