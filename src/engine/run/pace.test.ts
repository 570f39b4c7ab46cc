import { expect, test } from 'vitest';
import type { Command } from '../../gpu/recorder.ts';
import { MAX_MULTIPLY_ADDS } from '../../graph/pieces.ts';
import { Pace } from './pace.ts';

const command = (work?: number) => ({ grid: [1, 1, 1], ...(work ? { work } : {}) }) as unknown as Command;
const many = (count: number, work?: number) => Array.from({ length: count }, () => command(work));
const workOf = (slice: readonly Command[]) => slice.reduce((sum, { work = 0 }) => sum + work, 0);

test('the first submission is bounded by what its commands compute, not by how many they are', () => {
  const pace = new Pace('hardware');
  const commands = [...many(40, 2 ** 30), ...many(300), ...many(3, MAX_MULTIPLY_ADDS)];
  const slices = pace.slices(commands);
  expect(slices.flat()).toEqual(commands);
  for (const slice of slices) expect(workOf(slice)).toBeLessThanOrEqual(MAX_MULTIPLY_ADDS);
  expect(slices.length).toBeGreaterThanOrEqual(20 + 3);
  expect(slices.length).toBeLessThan(50);
});

test('a quick device gets longer submissions, a slow one shorter, of about a tenth of a second', () => {
  const pace = new Pace('hardware');
  const commands = many(64, 2 ** 30);
  pace.took(commands, 10); // 6.4 million million a second
  expect(pace.mostWork).toBeGreaterThan(2 ** 38);
  expect(pace.slices(commands)).toHaveLength(1);
  pace.took(commands, 6400);
  expect(pace.mostWork / 2 ** 30).toBeCloseTo(1, 1); // a command takes a tenth of a second
  expect(pace.slices(commands)).toHaveLength(64);
});

test('software adapters begin with little, so that a prompt can be stopped', () => {
  const [first = []] = new Pace('software').slices(many(100, 2 ** 24));
  expect(first.length).toBeLessThan(10);
});
