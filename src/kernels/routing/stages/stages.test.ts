import { describe, expect, test } from 'vitest';
import { STAGES } from './index.ts';
import { largest, maskGroups } from './select.ts';
import { MASKED, type Stage } from './stage.ts';

describe.each(Object.entries(STAGES))('%s', (role, table) => {
  test.each(Object.entries(table as Readonly<Record<string, Stage>>))(
    '%s is listed under its name and role',
    (name, stage) => {
      expect(stage).toMatchObject({ name, role });
    },
  );
});

const reference = (stage: Stage, row: readonly number[], params = {}) => {
  const values = Float64Array.from(row);
  stage.reference(values, { eps: 0, scale: 1, groups: 1, keep: 1, ...params });
  return [...values];
};

test('weightings of 1, 2, 5', () => {
  const { none, sum, exp, softmax } = STAGES.weigh;
  const clamped = STAGES.weigh['clamped-sum'];
  expect(reference(none, [1, 2, 5], { scale: 3 })).toEqual([3, 6, 15]);
  expect(reference(sum, [1, 2, 5], { scale: 2, eps: 2 })).toEqual([0.2, 0.4, 1]);
  expect(reference(sum, [1, -1])).toEqual([0, 0]);
  expect(reference(clamped, [1, 2, 5], { eps: 10 })).toEqual([0.1, 0.2, 0.5]);
  expect(reference(clamped, [1, 2, 5], { eps: 1 })).toEqual([0.125, 0.25, 0.625]);
  expect(reference(exp, [0, Math.log(3), 100], { scale: 2 })).toEqual([
    2,
    2 * Math.exp(Math.log(3)),
    2 * Math.exp(80),
  ]);
  expect(reference(softmax, [5, 5], { scale: 4 })).toEqual([2, 2]);
  expect(reference(STAGES.weigh.sigmoid, [0, Math.log(3)], { scale: 4 })).toEqual([2, expect.closeTo(3, 12)]);
});

test('sparsemixer: the softmax among the experts that are left and near', () => {
  const { valueOf } = STAGES.weigh.sparsemixer;
  const of = (logits: readonly number[], expert: number) =>
    valueOf(Float64Array.from(logits), expert, { eps: 0.5, scale: 1, groups: 1, keep: 1 });
  expect(of([10, 6, 4], 0)).toBeCloseTo(1 / (1 + Math.exp(-4)), 12); // 4 <= 5 < 6
  expect(of([10, 6, 4], 1)).toBeCloseTo(1 / (1 + Math.exp(-2)), 12); // 10 is chosen before
  expect(of([-1, -2, -3], 0)).toBeCloseTo(1 / (1 + Math.exp(-1)), 12); // 1 <= 0.5 * 2, 2 > 0.5 * 3
  expect([of([5, 5, 0], 0), of([5, 5, 0], 1)]).toEqual([0.5, 1]); // equals go to the lower one first
  expect(of([0, 0, -1], 1)).toBe(1);
});

test('groups: the value of the best, and of the two best', () => {
  const row = [4, 0, 3, 2, 1, 1];
  const params = { groups: 3, keep: 1 };
  expect(reference(STAGES.select.max, row, params)).toEqual([4, 0, MASKED, MASKED, MASKED, MASKED]);
  expect(reference(STAGES.select['two-best'], row, params)).toEqual([MASKED, MASKED, 3, 2, MASKED, MASKED]);
});

test('ties between groups, and between values, go to the lower one', () => {
  const row = Float64Array.of(1, 2, 1);
  maskGroups(row, { groups: 3, keep: 2 }, () => 7);
  expect([...row]).toEqual([1, 2, MASKED]);
  expect(largest(Float64Array.of(1, 3, 3, 0, 3), 2)).toEqual([1, 2]);
  expect(largest(Float64Array.of(1, 3, 2), 9, 1)).toEqual([1, 2]);
});
