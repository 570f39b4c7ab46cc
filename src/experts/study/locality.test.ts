import { describe, expect, test } from 'vitest';
import { fixedRouting, segmentCache, segmentRouting } from './locality.ts';
import { allUses, globalBound } from './optimum.ts';
import { unitsOf, type RoutingTrace } from './trace.ts';
import { GPT_OSS, QWEN, layerTrace, randomTrace } from './traces.testing.ts';

const SEEDS = Array.from({ length: 30 }, (_, seed) => seed);

describe('segment routing', () => {
  test('by hand', () => {
    // Runs of two: {0 twice, 1 and 2 once}, {0 and 1 and 2 and 3 once}. Choosing 0 in the first: 2 of 8 uses with 2
    // predictions, F1 = 4 / 10. Choosing all seven: 8 of 8 uses with 14 predictions, F1 = 16 / 22.
    const trace = layerTrace(4, [
      [0, 1],
      [0, 2],
      [3, 1],
    ]);
    expect(segmentRouting(trace, 2)).toEqual({ f1: 16 / 22, ratio: 14 / 8 });
    expect(segmentRouting(trace, 1)).toEqual({ f1: 1, ratio: 1 });
    expect(segmentRouting(trace, 4)).toBeUndefined();
  });

  test.each(SEEDS)('random trace %i: the best of all thresholds, tried one by one', (seed) => {
    const trace = randomTrace(seed);
    const tokens = 3;
    if (trace.steps - trace.warmUp < tokens) return;
    const counts: number[] = [];
    for (let from = trace.warmUp; from + tokens <= trace.steps; from += 1) {
      for (let layer = 0; layer < trace.layers; layer += 1) {
        const used = [0, 1, 2].flatMap((offset) => [...unitsOf(trace, from + offset, layer)]);
        for (const unit of new Set(used)) counts.push(used.filter((other) => other === unit).length);
      }
    }
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
    const scores = [1, 2, 3].map((threshold) => {
      const chosen = counts.filter((count) => count >= threshold);
      return (2 * sum(chosen)) / (chosen.length * tokens + sum(counts));
    });
    expect(segmentRouting(trace, tokens)?.f1).toBeCloseTo(Math.max(...scores), 12);
  });
});

describe('segment routing with as many units in each segment', () => {
  test('by hand', () => {
    const trace = layerTrace(4, [
      [0, 1],
      [0, 2],
      [3, 1],
    ]);
    // Runs of two use {0 twice, 1, 2} and {0, 1, 2, 3}: one unit matches 2 and 1 of 8 uses, two units 3 and 2.
    expect(fixedRouting(trace, 2, 1)).toBe((2 * 3) / (4 + 8));
    expect(fixedRouting(trace, 2, 2)).toBe((2 * 5) / (8 + 8));
    expect(fixedRouting(trace, 4, 1)).toBeUndefined();
  });

  test.each(SEEDS)('random trace %i: the best of all subsets', (seed) => {
    const trace = randomTrace(seed);
    const tokens = 3;
    if (trace.steps - trace.warmUp < tokens || trace.units > 9) return;
    for (const chosen of [1, 2]) {
      let [matches, uses, segments] = [0, 0, 0];
      for (let from = trace.warmUp; from + tokens <= trace.steps; from += 1) {
        for (let layer = 0; layer < trace.layers; layer += 1) {
          const used = [0, 1, 2].flatMap((offset) => [...unitsOf(trace, from + offset, layer)]);
          let best = 0;
          for (let set = 0; set < 1 << trace.units; set += 1) {
            const size = set.toString(2).replaceAll('0', '').length;
            if (size === chosen) best = Math.max(best, used.filter((unit) => (set >> unit) & 1).length);
          }
          matches += best;
          uses += used.length;
          segments += 1;
        }
      }
      expect(fixedRouting(trace, tokens, chosen)).toBeCloseTo(
        (2 * matches) / (segments * chosen * tokens + uses),
        12,
      );
    }
  });
});

/** The segment cache from its definition: at each miss, all held units are compared anew. */
function segmentCacheByDefinition(trace: RoutingTrace, tokens: number, places: number): number {
  const { uses, before } = allUses(trace);
  const stepOf: number[] = [];
  for (let step = trace.warmUp; step < trace.steps; step += 1) {
    for (let layer = 0; layer < trace.layers; layer += 1)
      for (let each = unitsOf(trace, step, layer).length; each > 0; each -= 1) stepOf.push(step);
  }
  const held: number[] = []; // what was used last at the end
  let hits = 0;
  const take = (key: number, at: number, step: number) => {
    const place = held.indexOf(key);
    if (place >= 0) held.push(...held.splice(place, 1));
    else if (places > 0) {
      const expected = (other: number) =>
        uses.filter((use, index) => index > at && use === other && (stepOf[index] ?? 0) < step + tokens)
          .length;
      if (held.length === places) {
        const counts = held.map(expected);
        held.splice(counts.indexOf(Math.min(...counts)), 1);
      }
      held.push(key);
    }
    return place >= 0;
  };
  for (const key of before) take(key, -1, trace.warmUp);
  uses.forEach((key, at) => (hits += take(key, at, stepOf[at] ?? 0) ? 1 : 0));
  return hits / uses.length;
}

describe('segment cache', () => {
  test.each(SEEDS)('random trace %i: as by its definition', (seed) => {
    const trace = randomTrace(seed);
    for (const tokens of [1, 2, 5])
      for (const places of [0, 1, 3, 6])
        expect(segmentCache(trace, tokens, places)).toBe(segmentCacheByDefinition(trace, tokens, places));
  });

  test('by hand', () => {
    // Two places, two tokens ahead. Step 2 loads 2, and looks at step 3: 0 is used there, 1 is not. So 0 hits; then 1
    // is gone. Looking at nothing but the current token, 0 would be the older one, and gone instead.
    const trace = layerTrace(3, [[0], [1], [2], [0], [1]]);
    expect(segmentCache(trace, 2, 2)).toBe(1 / 5);
    expect(segmentCache(trace, 1, 2)).toBe(0);
    expect(segmentCache(trace, 1, 3)).toBe(2 / 5);
  });

  test.each(SEEDS)('random trace %i: below the bound of one pool', (seed) => {
    const trace = randomTrace(seed);
    for (const tokens of [1, 4, 16])
      for (const places of [0, 1, 3, 10])
        expect(segmentCache(trace, tokens, places)).toBeLessThanOrEqual(globalBound(trace, places));
  });

  test.each([
    ['Qwen3-30B', QWEN],
    ['gpt-oss-120b', GPT_OSS],
  ] as const)('%s: below the bound, and with all experts at it', (_, trace) => {
    const places = 2 * trace.layers * trace.topK;
    expect(segmentCache(trace, 16, places)).toBeLessThan(globalBound(trace, places));
    const all = trace.layers * trace.units;
    expect(segmentCache(trace, 16, all)).toBe(globalBound(trace, all));
  });
});
