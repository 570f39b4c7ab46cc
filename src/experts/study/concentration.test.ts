import { expect, test } from 'vitest';
import { concentration, fewestWith, gini, jaccard, shareOfLargest } from './concentration.ts';
import { GPT_OSS, layerTrace, QWEN, randomTrace } from './traces.testing.ts';
import { useOfTrace } from './saliency.ts';

test('by hand', () => {
  expect(gini([1, 1, 1, 1])).toBe(0);
  expect(gini([0, 0, 0, 8])).toBe(0.75); // 1 - 1 / n
  expect(gini([1, 3])).toBe(0.25); // differences 0, 2, 2, 0: half their mean is 0.5, over 2
  expect(gini([0, 0])).toBeNaN();
  expect(shareOfLargest([1, 4, 3, 2], 2)).toBe(0.7);
  expect(fewestWith([1, 4, 3, 2], 0.7)).toBe(2);
  expect(fewestWith([1, 4, 3, 2], 0.71)).toBe(3);
  expect(jaccard([1, 2, 3], [2, 3, 4])).toBe(0.5);
});

test.each(Array.from({ length: 20 }, (_, seed) => seed))('random trace %i: Gini by all pairs', (seed) => {
  for (const { uses } of useOfTrace(randomTrace(seed))) {
    const mean = uses.reduce((sum, each) => sum + each, 0) / uses.length;
    let difference = 0;
    for (const a of uses) for (const b of uses) difference += Math.abs(a - b) / uses.length ** 2;
    if (mean > 0) expect(gini(uses)).toBeCloseTo(difference / 2 / mean, 12);
  }
});

test('a committee that stays, and one that changes', () => {
  const stays = layerTrace(
    8,
    Array.from({ length: 8 }, () => [0, 1]),
  );
  expect(concentration(stays)).toEqual({ gini: 0.75, topFive: 1, half: 1 / 8, kept: 1 });
  const changes = layerTrace(8, [
    ...Array.from({ length: 4 }, () => [0, 1]),
    ...Array.from({ length: 4 }, () => [2, 3]),
  ]);
  expect(concentration(changes)).toEqual({ gini: 0.5, topFive: 1, half: 2 / 8, kept: 0 });
});

test.each([
  ['Qwen3-30B', QWEN],
  ['gpt-oss-120b', GPT_OSS],
] as const)('%s', (_, trace) => {
  const { gini: uneven, half, topFive, kept } = concentration(trace);
  expect(uneven).toBeGreaterThan(0.3);
  expect(half).toBeLessThan(0.5);
  expect(topFive).toBeGreaterThan(5 / 128);
  expect(kept).toBeGreaterThan(0);
});
