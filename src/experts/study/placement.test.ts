import { describe, expect, test } from 'vitest';
import { POLICIES } from '../policies.ts';
import { chainedOrder, hottestOrder, requestsOf } from './placement.ts';
import { ratioPlaces, replay } from './simulate.ts';
import { unitsOf, type RoutingTrace } from './trace.ts';
import { GPT_OSS, layerTrace, QWEN, randomTrace } from './traces.testing.ts';

const SEEDS = Array.from({ length: 40 }, (_, seed) => seed);

describe('an order by co-activation', () => {
  test('by hand', () => {
    // Likeness: 1-4 of 3 tokens, of 3 and 4 uses: 3 / 4. 0-4: 1 / (1 + 4 - 1). 0-1: none. 2-5: 2 / 2. 3 is never used.
    const trace = layerTrace(6, [
      [1, 4],
      [4, 1],
      [1, 4],
      [0, 4],
      [2, 5],
      [5, 2],
    ]);
    // 2-5, then 1-4, then 0-4: chains 0 4 1 with 8 uses, 2 5 with 4, and 3 alone.
    expect(chainedOrder(trace)).toEqual([[0, 4, 1, 2, 5, 3]]);
    expect(hottestOrder(trace)).toEqual([[4, 1, 2, 5, 0, 3]]);
  });

  test('no chain forks or closes', () => {
    // 1-2: 2 / 2. 0-1 and 0-2: 2 / 3; the first of them makes 0 1 2 a chain, the second would close it. 0-3: 1 / 3.
    const trace = layerTrace(4, [
      [0, 1, 2],
      [2, 1, 0],
      [3, 0],
    ]);
    expect(chainedOrder(trace)).toEqual([[2, 1, 0, 3]]);
  });

  test.each(SEEDS)('random trace %i: by its definition, each unit once', (seed) => {
    const trace = randomTrace(seed);
    const order = chainedOrder(trace);
    expect(order).toEqual(chainedOrder(trace));
    for (const [layer, own] of order.entries()) {
      expect(own.toSorted((a, b) => a - b)).toEqual([...Array(trace.units).keys()]);
      expect(own).toEqual(chainedByDefinition(trace, layer));
    }
  });
});

/** The same by sets of neighbours: whether two units are in one chain is found by walking it. */
function chainedByDefinition(trace: RoutingTrace, layer: number): number[] {
  const { units, steps } = trace;
  const all = Array.from({ length: steps }, (_, step) => new Set(unitsOf(trace, step, layer)));
  const uses = (...wanted: number[]) => all.filter((used) => wanted.every((unit) => used.has(unit))).length;
  const ids = [...Array(units).keys()];
  const pairs = ids.flatMap((a) => ids.slice(a + 1).map((b) => [a, b] as const));
  const likeness = ([a, b]: readonly [number, number]) => uses(a, b) / (uses(a) + uses(b) - uses(a, b) || 1);
  const neighbours = ids.map(() => new Set<number>());
  const chainOf = (unit: number) => {
    const seen = [unit];
    for (const each of seen) seen.push(...[...neighbours[each]!].filter((other) => !seen.includes(other)));
    return seen;
  };
  for (const pair of pairs.filter(([a, b]) => uses(a, b) > 0).sort((p, q) => likeness(q) - likeness(p))) {
    const [a, b] = pair;
    if (neighbours[a]!.size > 1 || neighbours[b]!.size > 1 || chainOf(a).includes(b)) continue;
    neighbours[a]!.add(b);
    neighbours[b]!.add(a);
  }
  const isLowerEnd = (unit: number) =>
    neighbours[unit]!.size < 2 &&
    chainOf(unit).every((other) => neighbours[other]!.size === 2 || other >= unit);
  const prime = (unit: number) => trace.prime?.uses[layer]?.[unit] ?? 0;
  const heat = (unit: number) => chainOf(unit).reduce((sum, each) => sum + uses(each) + prime(each), 0);
  return ids
    .filter(isLowerEnd)
    .sort((a, b) => heat(b) - heat(a) || a - b)
    .flatMap(chainOf);
}

describe('requests', () => {
  test('by hand', () => {
    const trace = layerTrace(6, [
      [0, 2, 4],
      [1, 2, 3, 0],
    ]);
    const isHit = Uint8Array.from([0, 0, 0, 0, 0, 1, 0]);
    expect(requestsOf(trace, { isHit }, undefined)).toEqual({ loads: 6, requests: 3 + 1 });
    expect(requestsOf(trace, { isHit }, undefined, { mostTogether: 2 })).toEqual({
      loads: 6,
      requests: 3 + 2,
    });
    const order = [[0, 2, 4, 1, 3, 5]];
    expect(requestsOf(trace, { isHit }, order)).toEqual({ loads: 6, requests: 1 + 2 });
    expect(requestsOf(trace, { isHit }, order, { from: 1 })).toEqual({ loads: 3, requests: 2 });
  });

  test.each([
    ['Qwen3-30B', QWEN, [0.2626, 0.1847, 0.1257]],
    ['gpt-oss-120b', GPT_OSS, [0.0747, 0.0498, 0.0304]],
  ] as const)(
    '%s: an order learnt on the first half of a trace saves requests in the second',
    (_, trace, saved) => {
      const middle = trace.steps >> 1;
      const orders = [chainedOrder, hottestOrder].map((order) => order(trace, { to: middle }));
      for (const [index, ratio] of [1, 2, 4].entries()) {
        const played = replay(trace, POLICIES.ema, ratioPlaces(trace, ratio));
        const [chained, hottest, asItIs] = [...orders, undefined].map((order) => {
          const { loads, requests } = requestsOf(trace, played, order, { from: middle });
          return 1 - requests / loads;
        });
        expect(chained).toBeCloseTo(saved[index]!, 4);
        expect(chained).toBeGreaterThan(hottest!);
        expect(hottest).toBeGreaterThan(asItIs!);
      }
    },
  );
});
