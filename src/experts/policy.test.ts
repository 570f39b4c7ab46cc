import { describe, expect, test } from 'vitest';
import { seededRandom } from '../containers/seeded-random.testing.ts';
import { defaultAlpha, ema, lfru, lfu, lru, random, type MakePolicy, type Policy } from './policy.ts';

const UNITS = 6;
const open = (make: MakePolicy, layer = 0) => make({ units: UNITS, topK: 2, layer, seed: 0 });

/** Plays steps in which every unit is used in rank order. */
function play(policy: Policy, steps: readonly (readonly number[])[]) {
  for (const units of steps) {
    policy.begin(Uint32Array.from(units), units.length);
    for (const unit of units) policy.use(unit);
  }
}

/** Units in the order in which they would go. */
function ranking(policy: Policy) {
  return [...Array(UNITS).keys()].sort((a, b) => policy.score(a) - policy.score(b) || a - b);
}

test('lru: what was used longest ago goes first', () => {
  const policy = open(lru());
  play(policy, [[3], [1, 0], [3, 5]]);
  expect(ranking(policy)).toEqual([2, 4, 1, 0, 3, 5]);
});

test('lru: of a prompt, the more often used is the more recent', () => {
  const policy = open(lru());
  play(policy, [[5]]);
  policy.observe(Uint32Array.of(2, 0, 9, 4, 0, 0), 10);
  expect(ranking(policy)).toEqual([1, 4, 5, 0, 3, 2]);
});

test('lfu: counts, then recency', () => {
  const policy = open(lfu());
  play(policy, [[0], [1], [0], [2]]);
  expect(ranking(policy)).toEqual([3, 4, 5, 1, 2, 0]);
  policy.observe(Uint32Array.of(0, 5, 0, 1, 0, 0), 5);
  expect(ranking(policy)).toEqual([4, 5, 2, 3, 0, 1]);
});

test('lfu counts uses, not loads', () => {
  const policy = open(lfu());
  policy.begin(Uint32Array.of(4, 2), 1);
  expect(policy.score(4)).toBeGreaterThan(policy.score(2));
});

test('lfru: uses over age', () => {
  const policy = open(lfru());
  play(policy, [[0], [0], [0], [1], [2]]);
  policy.begin(Uint32Array.of(3, 4), 2); // the sixth and seventh use
  const age = (last: number) => 7 - last;
  expect([0, 1, 2].map((unit) => policy.score(unit))).toEqual([3 / age(3), 1 / age(4), 1 / age(5)]);
});

describe('ema', () => {
  /** The definition, unit by unit. */
  function means(alpha: number, steps: readonly (readonly number[])[]) {
    const values = Array<number>(UNITS).fill(2 / UNITS);
    for (const used of steps)
      for (const unit of values.keys())
        values[unit] = (1 - alpha) * (values[unit] ?? 0) + alpha * (used.includes(unit) ? 1 : 0);
    return values;
  }

  test.each([0.02, 0.05, 0.5])('alpha %f ranks by the running mean, however long it runs', (alpha) => {
    const next = seededRandom(7);
    const policy = open(ema(alpha));
    const steps: number[][] = [];
    // At 0.5, what a use adds doubles with each step: it starts anew after 512.
    for (let round = 0; round < 60; round += 1) {
      const fresh = Array.from({ length: 20 }, () => [Math.floor(next() * UNITS)]);
      steps.push(...fresh);
      play(policy, fresh);
      const values = means(alpha, steps);
      const wanted = [...values.keys()].sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0) || a - b);
      expect(ranking(policy)).toEqual(wanted);
    }
    for (const unit of Array(UNITS).keys()) expect(policy.score(unit)).toBeLessThan(Infinity);
  });

  test('a prompt counts as its tokens would, evenly spread', () => {
    const policy = open(ema(0.1));
    play(policy, [[5], [5]]);
    policy.observe(Uint32Array.of(10, 5, 0, 0, 0, 1), 10);
    play(policy, [[1]]);
    const kept = 0.9 ** 10;
    const before = 0.1 + 0.9 * 0.1;
    const score = (old: number, share: number, used: number) =>
      0.9 * (old * kept + (1 - kept) * share) + 0.1 * used;
    const [first, second, , , , last] = Array.from({ length: UNITS }, (_, unit) => policy.score(unit) * 0.9);
    expect(first).toBeCloseTo(score(0, 1, 0), 12);
    expect(second).toBeCloseTo(score(0, 0.5, 1), 12);
    expect(last).toBeCloseTo(score(before, 0.1, 0), 12);
  });

  test('a prompt of any length leaves numbers', () => {
    const policy = open(ema());
    policy.observe(Uint32Array.of(100_000, 1, 0, 0, 0, 0), 1_000_000);
    expect(ranking(policy)).toEqual([2, 3, 4, 5, 1, 0]);
  });

  test('fades faster where a token uses few experts', () => {
    expect([1, 2, 3, 8].map(defaultAlpha)).toEqual([0.05, 0.05, 0.02, 0.02]);
  });
});

describe('random', () => {
  const orders = (seed: number, layer = 0) => {
    const policy = open(random(seed), layer);
    return Array.from({ length: 3000 }, () => {
      play(policy, [[0]]);
      return ranking(policy);
    });
  };

  test('is the same for a seed and layer, and different for others', () => {
    expect(orders(1)).toEqual(orders(1));
    expect(orders(1)).not.toEqual(orders(2));
    expect(orders(1, 0)).not.toEqual(orders(1, 1));
  });

  test('gives every unit the same chance in every rank', () => {
    const all = orders(3);
    for (let rank = 0; rank < UNITS; rank += 1) {
      for (let unit = 0; unit < UNITS; unit += 1) {
        const count = all.filter((order) => order[rank] === unit).length;
        expect(Math.abs(count - 500)).toBeLessThan(4 * Math.sqrt(500 * (5 / 6))); // four standard deviations
      }
    }
  });
});
