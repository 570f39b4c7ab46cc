import { describe, expect, test } from 'vitest';
import { randomIds } from './atomic.testing.ts';
import { pairSortReference } from './pair-sort.reference.ts';
import { sortPairs } from './pair-sort.testing.ts';
import { sortPasses } from './pair-sort.ts';
import { testGpu } from '../testing.ts';

const gpu = await testGpu();

async function check(ids: Uint32Array<ArrayBuffer>, experts: number) {
  const got = await sortPairs(gpu, ids, experts);
  const want = pairSortReference(ids);
  const wrong = want.findIndex((value, at) => value !== got[at]);
  expect(wrong, `first difference: got ${got[wrong]}, want ${want[wrong]}`).toBe(-1);
}

describe.each([1, 3, 64, 255, 256, 257, 2047, 2048, 2049, 20011])('%i pairs', (pairs) => {
  test('of 4096 experts', () => check(randomIds(pairs, 4096, pairs), 4096));
});

test.each([1, 2, 9, 256, 257, 65536, 65537, 102400, 2 ** 20])('%i experts', (experts) =>
  check(randomIds(5000, experts, experts), experts),
);

test('all pairs of one expert keep their order', () => check(new Uint32Array(6000).fill(77_777), 102_400));

test('ids at both ends', () =>
  check(
    randomIds(3000, 2, 5).map((bit) => bit * (2 ** 20 - 1)),
    2 ** 20,
  ));

test('many blocks', () => check(randomIds(300_000, 102_400, 9), 102_400));

test('digits of a pass are at most eight bits and cover every id', () => {
  expect(sortPasses(256)).toEqual([{ shift: 0, bits: 8 }]);
  expect(sortPasses(4096)).toEqual([
    { shift: 0, bits: 6 },
    { shift: 6, bits: 6 },
  ]);
  expect(sortPasses(102_400)).toEqual([
    { shift: 0, bits: 6 },
    { shift: 6, bits: 6 },
    { shift: 12, bits: 6 },
  ]);
  expect(sortPasses(2 ** 20).at(-1)).toEqual({ shift: 14, bits: 7 });
});
