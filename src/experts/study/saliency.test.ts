import { expect, test } from 'vitest';
import { mostSalient, noUse, rankCorrelation, saliencyOf, sharedPart, useOfTrace } from './saliency.ts';
import { renumberTrace, unitsOf } from './trace.ts';
import { buildTrace } from './trace.ts';
import { QWEN, randomTrace } from './traces.testing.ts';

const use = {
  uses: Float64Array.of(4, 1, 0, 2),
  weighed: Float64Array.of(2, 3, 0, 2),
  turned: Float64Array.of(0.5, 0.1, 0, 1),
};

test('saliency by hand', () => {
  expect([...saliencyOf(use, 'reap')]).toEqual([0.5, 3, 0, 1]);
  expect([...saliencyOf(use, 'easy-ep')]).toEqual([0.5, 0.1, 0, 1]);
  expect([...saliencyOf(use, 'usage')]).toEqual([4, 1, 0, 2]);
  expect([...saliencyOf(noUse(2), 'reap')]).toEqual([0, 0]);
});

test('the most salient, on ties the lower ids, of each group as many', () => {
  expect(mostSalient([1, 5, 5, 2], 2)).toEqual([1, 2]);
  expect(mostSalient([5, 5, 5, 5], 3)).toEqual([0, 1, 2]);
  expect(mostSalient([9, 8, 1, 2], 2, 2)).toEqual([0, 3]);
});

test('rank correlation', () => {
  expect(rankCorrelation([1, 2, 3, 4], [10, 20, 30, 400])).toBe(1);
  expect(rankCorrelation([1, 2, 3, 4], [4, 3, 2, 1])).toBe(-1);
  // Ranks 0, 1.5, 1.5, 3 against 0, 1, 2, 3: 4.5 / sqrt(4.5 * 5).
  expect(rankCorrelation([1, 2, 2, 3], [1, 2, 3, 4])).toBeCloseTo(4.5 / Math.sqrt(4.5 * 5), 12);
  expect(rankCorrelation([1, 1], [1, 2])).toBeNaN();
  expect(sharedPart([1, 2, 3, 4], [3, 4, 5, 6])).toBe(0.5);
});

test('usage of a trace counts every use', () => {
  const counts = useOfTrace(QWEN).map(({ uses }) => uses.reduce((sum, each) => sum + each, 0));
  expect(counts).toHaveLength(48);
  expect(counts.reduce((sum, each) => sum + each, 0)).toBe(QWEN.ids.length);
  const [layer = noUse(0)] = useOfTrace(QWEN);
  const first = Array.from({ length: QWEN.steps }, (_, step) => [...unitsOf(QWEN, step, 0)]).flat();
  expect(layer.uses[5]).toBe(first.filter((id) => id === 5).length);
});

test.each([1, 2, 3, 4])('random trace %i in other numbers', (seed) => {
  const trace = randomTrace(seed);
  const ids = Array.from({ length: trace.layers }, (_, layer) =>
    Array.from({ length: trace.units }, (__, unit) => 3 * unit + (layer % 3)),
  );
  const other = renumberTrace(trace, { count: 3 * trace.units, ids });
  expect(useOfTrace(other, ids)).toEqual(useOfTrace(trace));
  const routes = Array.from({ length: other.steps }, (_, step) =>
    Array.from({ length: other.layers }, (__, layer) => [...unitsOf(other, step, layer)]),
  );
  expect(buildTrace(other, routes)).toEqual(other);
  expect(other.ids.length === 0 || other.ids.some((id, index) => id !== trace.ids[index])).toBe(true);
});
