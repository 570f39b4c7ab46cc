import { describe, expect, test } from 'vitest';
import { addNormed } from './add-normed.ts';
import { addNormedReference } from './add-normed.reference.ts';
import { expectClose, numbers, randomNormal, runKernel, runnable, testGpu } from '../testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, addNormed);

describe.each(variants.map((variant) => [addNormed.key(variant), variant] as const))(
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
      const [x, branch] = [randomNormal(rows * cols, 1), randomNormal(rows * cols, 2)];
      branch[0] = 1e6;
      if (rows > 1) branch.fill(0, cols, 2 * cols); // a row of zeros
      const [gain, factor] = [randomNormal(cols, 3), Float32Array.of(0.7)];
      const params = { rows, cols, eps: 1e-6, scale: 0.3 };
      const { y } = await runKernel(gpu, addNormed, variant, {
        buffers: { x, branch, gain, factor, y: { type: 'f32', count: rows * cols } },
        params,
        size: { rows },
      });
      const options = { ...params, factor: variant.scaled ? 0.7 : 1 };
      expectClose(numbers(y), addNormedReference(x, branch, gain, options));
    });
  },
);

test('the reference gives a hand-computed row', () => {
  const vectors = [Float32Array.of(10, 20), Float32Array.of(3, 4), Float32Array.of(5, 10)] as const;
  const y = addNormedReference(...vectors, { rows: 1, cols: 2, eps: 0, scale: Math.sqrt(12.5), factor: 2 });
  expectClose(y, [2 * (10 + 15), 2 * (20 + 40)]);
  expect(y).toHaveLength(2);
});
