import { describe, expect, test } from 'vitest';
import { addRmsNorm } from './add-rms-norm.ts';
import { addRmsNormReference } from './add-rms-norm.reference.ts';
import { expectClose, numbers, randomNormal, runKernel, runnable, testGpu, tolerance } from '../testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, addRmsNorm);

describe.each(variants.map((variant) => [addRmsNorm.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([
      [1, 4],
      [3, 12],
      [2, 16],
      [2, 20],
      [2, 252],
      [2, 256],
      [2, 260],
      [3, 1024],
      [1, 2052],
    ])('%i x %i', async (rows, cols) => {
      const x = randomNormal(rows * cols, 1);
      const branch = randomNormal(rows * cols, 2);
      branch[0] = 1e6; // outside the range of f16: the stream is f32
      if (rows > 1) {
        x.fill(0, cols, 2 * cols); // a row of zeros
        branch.fill(0, cols, 2 * cols);
      }
      const gain = randomNormal(cols, 3);
      const params = { rows, cols, eps: 1e-6, scale: 0.22 };
      const { sum, y } = await runKernel(gpu, addRmsNorm, variant, {
        buffers: {
          x,
          branch,
          gain,
          sum: { type: 'f32', count: rows * cols },
          y: { type: variant.scalar, count: rows * cols },
        },
        params,
        size: { rows },
      });
      const want = addRmsNormReference(x, branch, gain, params);
      expectClose(numbers(sum), want.sum, { ...tolerance('f32'), label: 'sum' });
      expectClose(numbers(y), want.y, { ...tolerance(variant.scalar), label: 'y' });
    });
  },
);

test('the reference adds before it normalises', () => {
  const { sum, y } = addRmsNormReference(
    Float32Array.from([1, 2]),
    Float32Array.from([1, 1]),
    Float32Array.from([1, 2]),
    { rows: 1, cols: 2, eps: 0, scale: 2 },
  );
  expect([...sum]).toEqual([3, 4]);
  expect([...y].map((value) => value.toFixed(6))).toEqual(['0.848528', '2.262742']); // 3, 8 over sqrt(12.5)
});
