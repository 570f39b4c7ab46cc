import { expect, test } from 'vitest';
import { logLogSlope, measured, median, quantile, relativeRms } from './stats.ts';

test('quantiles are interpolated', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(quantile([0, 10], 0.25)).toBe(2.5);
  expect(measured([1, 2, 3, 4, 5])).toEqual({ median: 3, noise: 1 / 3, n: 5 });
});

test('the slope of a power law is its exponent', () => {
  const points = [1, 2, 4, 8].map((x) => ({ x, y: 3 * x ** 0.5 }));
  expect(logLogSlope(points)).toBeCloseTo(0.5, 12);
});

test('relative RMS', () => {
  expect(relativeRms([1, 1], [1, 1])).toBe(0);
  expect(relativeRms([0, 0], [3, 4])).toBe(1);
  expect(() => relativeRms([0], [3, 4])).toThrow();
});
