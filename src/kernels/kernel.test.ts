import { expect, test } from 'vitest';
import { cross, pairs } from './kernel.ts';

test('pairs: every pair of values of two choices occurs, in few rows', () => {
  const choices = { a: [1, 2, 3, 4], b: ['x', 'y', 'z'], c: [true, false], d: ['p', 'q', 'r'] } as const;
  const rows = pairs(choices);
  const names = ['a', 'b', 'c', 'd'] as const;
  for (const [index, one] of names.entries()) {
    for (const other of names.slice(index + 1)) {
      for (const value of choices[one]) {
        for (const also of choices[other]) {
          expect(rows.some((row) => row[one] === value && row[other] === also)).toBe(true);
        }
      }
    }
  }
  expect(rows.length).toBeLessThanOrEqual(14); // at least 4 * 3
  expect(cross(choices)).toHaveLength(72);
});
