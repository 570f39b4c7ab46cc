import { expect, test } from 'vitest';
import { seededRandom } from '../containers/seeded-random.testing.ts';
import { Lowest } from './lowest.ts';

const lowestOf = (lowest: Lowest) => Array.from({ length: lowest.count }, (_, rank) => lowest.item(rank));

test.each([0, 1, 2, 7, 20])('the %i lowest, equal ones in the order of offers', (limit) => {
  const random = seededRandom(limit);
  const lowest = new Lowest(30);
  for (let round = 0; round < 50; round += 1) {
    const scores = Array.from({ length: 12 }, () => (random() < 0.1 ? -Infinity : Math.floor(random() * 6)));
    lowest.begin(limit);
    scores.forEach((score, item) => lowest.offer(item, score));
    const order = [...scores.keys()].sort((a, b) => Math.sign((scores[a] ?? 0) - (scores[b] ?? 0)) || a - b);
    expect(lowestOf(lowest)).toEqual(order.slice(0, limit));
  }
});

test('keeps no more than its capacity', () => {
  const lowest = new Lowest(2);
  lowest.begin(9);
  for (const item of [3, 1, 2]) lowest.offer(item, item);
  expect(lowestOf(lowest)).toEqual([1, 2]);
});
