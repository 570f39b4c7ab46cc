import { expect, test } from 'vitest';
import { foldGrid } from './common.ts';

test.each([0, 1, 65_535, 65_536, 131_070, 131_071, 10_000_019])(
  'a grid of %i groups folds within the limits',
  (groups) => {
    const [x, y, z] = foldGrid(groups);
    expect(x).toBeLessThanOrEqual(65_535);
    expect(z).toBe(1);
    expect(x * y).toBeGreaterThanOrEqual(groups);
    expect(x * y - groups).toBeLessThan(Math.max(1, y)); // at most one partial row
  },
);
