import { expect, test } from 'vitest';
import { RunAhead } from './run-ahead.ts';

/** Of a layer that takes `layerMs`, a way of `roundTripMs`, and layers of which `share` in a hundred find everything. */
function learnt(layerMs: number, roundTripMs: number, share: number): RunAhead {
  const ahead = new RunAhead();
  ahead.measured(roundTripMs);
  for (let i = 0; i < 200; i += 1) ahead.waited(layerMs + roundTripMs);
  // Spread evenly, so that the mean ends near the share.
  for (let i = 0; i < 2000; i += 1) ahead.verified((i * share) % 100 < share);
  return ahead;
}

test('a fast GPU far away is run ahead of, the more the more is there', () => {
  const depth = (share: number) => learnt(0.35, 0.5, share).depth(48, 7);
  expect(depth(20)).toBe(0);
  expect(depth(64)).toBeGreaterThanOrEqual(1);
  expect(depth(64)).toBeLessThanOrEqual(4);
  expect(depth(90)).toBeGreaterThan(depth(64));
  expect(depth(100)).toBe(48);
});

test('a slow one at hand is not: its work in vain costs more than the wait', () => {
  for (const share of [20, 64, 80]) expect(learnt(5, 0.3, share).depth(48, 7)).toBe(0);
  expect(learnt(5, 0.3, 100).depth(48, 7)).toBe(48);
});

test('nothing is run ahead before anything is known, nor now and then', () => {
  const fresh = new RunAhead();
  expect(fresh.isMeasured).toBe(false);
  fresh.measured(1);
  fresh.waited(3);
  expect([fresh.isMeasured, fresh.depth(6, 7)]).toEqual([true, 0]);
  const sure = learnt(0.35, 0.5, 100);
  expect([31, 32, 33, 34].map((token) => sure.depth(6, token))).toEqual([6, 6, 0, 6]);
});
