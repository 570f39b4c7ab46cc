import { expect, test } from 'vitest';
import { draftModel } from '../load/planning.ts';
import { Calibration } from './calibrate.ts';
import { storiesFolder } from './carve.testing.ts';
import { divide, divideByUse } from './divide.ts';

const range = (from: number, to: number, step = 1) =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, at) => from + at * step);

test('the most active neurons are shared, and the others are clustered by their tokens', () => {
  // Neurons 0 and 3 are always active; even ones are active in the first half of the tokens, odd ones in the second.
  const active = range(0, 8).map((neuron) => {
    if (neuron === 0 || neuron === 3) return range(0, 12);
    return neuron % 2 === 0 ? range(0, 6) : range(6, 12);
  });
  active[4]?.push(6); // the first of its cluster, and not its middle
  const { shared, routed, leaders } = divide({ tokens: 12, active }, { experts: 4, shared: 1, active: 1 });
  expect(shared).toEqual([0, 3]);
  expect(routed.map(({ length }) => length)).toEqual([2, 2, 2]);
  expect(routed.flat().toSorted((a, b) => a - b)).toEqual([1, 2, 4, 5, 6, 7]);
  expect(leaders.every((leader, e) => routed[e]?.includes(leader))).toBe(true);
});

test('clusters are full and pure where they can be', () => {
  const active = range(0, 9).map((neuron) => range(neuron % 3, 30, 3));
  const { routed } = divide({ tokens: 30, active }, { experts: 3, shared: 0, active: 1 });
  expect(routed).toEqual([range(0, 9, 3), range(1, 9, 3), range(2, 9, 3)]);
});

test('the neurons of a model are all there once, the same whenever it is divided', async () => {
  const drafted = await draftModel(await storiesFolder(), {});
  const calibration = await Calibration.open(drafted);
  const carving = { experts: 43, shared: 3, active: 6 };
  const texts = [[1, 403, 407, 261, 378, 9, 33, 2, 40, 21]];
  const divisions = await divideByUse(drafted, carving, calibration, { texts });
  expect(divisions.length).toBe(5);
  for (const { shared, routed, leaders } of divisions) {
    expect(shared.length).toBe(12);
    expect(new Set(routed.map(({ length }) => length))).toEqual(new Set([4]));
    expect([...shared, ...routed.flat()].toSorted((a, b) => a - b)).toEqual(range(0, 172));
    expect(leaders.every((leader, e) => routed[e]?.includes(leader))).toBe(true);
  }
  expect(await divideByUse(drafted, carving, calibration, { texts })).toEqual(divisions);
});
