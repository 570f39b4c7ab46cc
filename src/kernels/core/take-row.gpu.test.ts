import { describe, expect, test } from 'vitest';
import { takeRow } from './take-row.ts';
import { takeRowReference } from './take-row.reference.ts';
import { numbers, randomNormal, rounded, runKernel, runnable, scalars, testGpu } from '../testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, takeRow);

describe.each(variants.map((variant) => [takeRow.key(variant), variant] as const))('%s', (_key, variant) => {
  test.each([
    [1, 0, 4],
    [3, 2, 252],
    [3, 1, 256],
    [2, 1, 260],
    [300, 299, 1024],
  ])('of %i rows row %i, %i wide', async (rows, row, cols) => {
    const x = randomNormal(rows * cols, 1);
    const { y } = await runKernel(gpu, takeRow, variant, {
      buffers: { x: scalars(x, variant.scalar), y: { type: variant.scalar, count: cols } },
      params: { row, cols },
      size: { cols },
    });
    expect(numbers(y)).toEqual(takeRowReference(rounded(x, variant.scalar), { row, cols }));
  });
});
