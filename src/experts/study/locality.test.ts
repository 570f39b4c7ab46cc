import { describe, expect, test } from 'vitest';
import { segmentCache, segmentRouting } from './locality.ts';
import { globalBound } from './optimum.ts';
import { unitsOf } from './trace.ts';
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

describe('segment cache', () => {
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
