import { describe, expect, test } from 'vitest';
import { rmsNorm } from './rms-norm.ts';
import { rmsNormReference } from './rms-norm.reference.ts';
import { expectClose, numbers, randomNormal, runKernel, runnable, testGpu, tolerance } from '../testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, rmsNorm);

describe.each(variants.map((variant) => [rmsNorm.key(variant), variant] as const))('%s', (_key, variant) => {
  test.each([
    [1, 1],
    [3, 63],
    [2, 64],
    [2, 65],
    [5, 257],
    [1, 2048],
  ])('%i x %i', async (rows, cols) => {
    const x = randomNormal(rows * cols, 1);
    x[0] = 1e6; // outside the range of f16: the stream is f32
    if (rows > 1) x.fill(0, cols, 2 * cols); // a row of zeros
    const gain = randomNormal(cols, 2);
    const params = { rows, cols, eps: 1e-6 };
    const { y } = await runKernel(gpu, rmsNorm, variant, {
      buffers: { x, gain, y: { type: variant.scalar, count: rows * cols } },
      params,
      size: { rows },
    });
    const want = rmsNormReference(x, gain, params);
    expectClose(numbers(y), want, tolerance(variant.scalar));
  });
});

test('the reference gives a hand-computed row', () => {
  const y = rmsNormReference(new Float32Array([3, 4]), new Float32Array([1, 2]), {
    rows: 1,
    cols: 2,
    eps: 0,
  });
  expect([...y].map((value) => value.toFixed(6))).toEqual(['0.848528', '2.262742']); // 3, 8 over sqrt(12.5)
});
