import { expect, test } from 'vitest';
import { leastPrecision, PrefetchBudget } from './prefetch-budget.ts';

const IDLE = { utilisation: 0, bytesPerMs: 1000 };

test('the busier the link, the surer a guess has to be', () => {
  const at = (utilisation: number) => leastPrecision({ utilisation });
  expect([at(0), at(0.6)]).toEqual([0.25, 0.25]);
  expect(at(0.7)).toBeCloseTo(0.425);
  expect([at(0.8), at(0.9)].map((value) => value.toFixed(6))).toEqual(['0.600000', '0.600000']);
  expect(at(0.91)).toBe(Infinity);
});

test('ranks that are mostly wrong are given up, and come back when they are right again', () => {
  const budget = new PrefetchBudget(2, 4);
  expect(budget.isWorth(1, 3, IDLE)).toBe(true);
  for (let i = 0; i < 40; i += 1) budget.learn(1, 3, false);
  expect(budget.isWorth(1, 3, IDLE)).toBe(false);
  expect(budget.isWorth(1, 2, IDLE)).toBe(true);
  expect(budget.isWorth(0, 3, IDLE)).toBe(true);
  for (let i = 0; i < 40; i += 1) budget.learn(1, 3, true);
  expect(budget.isWorth(1, 3, IDLE)).toBe(true);
  expect(budget.isWorth(1, 3, { utilisation: 0.95, bytesPerMs: 1000 })).toBe(false);
});

test('no more is asked for than can come in time, but one is', () => {
  const budget = new PrefetchBudget(3, 4);
  expect(budget.most(500, IDLE)).toBe(1);
  for (let i = 0; i < 200; i += 1) {
    budget.ask(1, 100 + 10 * i);
    budget.need(1, 104 + 10 * i);
  }
  budget.need(2, 9000); // never asked for: teaches nothing
  expect(budget.most(500, IDLE)).toBe(7); // 4 ms at 1000 bytes a millisecond, a hair less
  expect(budget.most(5000, IDLE)).toBe(1);
  expect(budget.most(500, { utilisation: 0, bytesPerMs: Infinity })).toBe(Infinity);
});
