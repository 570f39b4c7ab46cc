import { describe, expect, test } from 'vitest';
import { scaleRows } from './scale-rows.ts';
import { scaleRowsReference } from './scale-rows.reference.ts';
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
const variants = runnable(gpu, scaleRows);

describe.each(variants.map((variant) => [scaleRows.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([
      [1, 4, 0],
      [3, 252, 5],
      [3, 256, 0],
      [2, 260, 1],
      [70, 12, 9],
    ])('%i rows of %i, factors from %i on', async (tokens, cols, first) => {
      const [x, factors] = [randomNormal(tokens * cols, 1), randomNormal(first + tokens, 2)];
      const { y } = await runKernel(gpu, scaleRows, variant, {
        buffers: {
          x: scalars(x, variant.scalar),
          factors,
          y: { type: variant.scalar, count: tokens * cols },
        },
        params: { tokens, cols, first },
        size: { tokens, cols },
      });
      const want = scaleRowsReference(rounded(x, variant.scalar), factors, { cols, first });
      expectClose(numbers(y), want, tolerance(variant.scalar));
    });
  },
);

test('the reference takes a factor per row', () => {
  const y = scaleRowsReference(Float32Array.of(1, 2, 3, 4), Float32Array.of(9, 10, -1), {
    cols: 2,
    first: 1,
  });
  expect([...y]).toEqual([10, 20, -3, -4]);
});
