import { expect, test } from 'vitest';
import { seededRandom } from '../../containers/seeded-random.testing.ts';
import { bestAssignment } from './assignment.ts';

function* permutations(items: readonly number[]): Generator<readonly number[]> {
  if (items.length === 0) yield [];
  for (const [index, item] of items.entries()) {
    for (const rest of permutations(items.toSpliced(index, 1))) yield [item, ...rest];
  }
}

test.each(Array.from({ length: 30 }, (_, seed) => seed))('%i: the best of all permutations', (seed) => {
  const random = seededRandom(seed);
  const n = 1 + (seed % 6);
  const gain = Float64Array.from({ length: n * n }, () => Math.round(20 * random() - 10)); // with ties
  const sum = (columns: readonly number[]) =>
    columns.reduce((total, col, row) => total + (gain[row * n + col] ?? NaN), 0);
  const found = bestAssignment(gain, n);
  expect(found.toSorted((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, col) => col));
  const all = [...permutations(Array.from({ length: n }, (_, col) => col))];
  expect(sum(found)).toBe(Math.max(...all.map(sum)));
});
