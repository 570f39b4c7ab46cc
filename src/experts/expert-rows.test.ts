import { expect, test } from 'vitest';
import type { ExpertRows } from '../weights/tensor-rows.ts';
import { piecesOf, rowsOf } from './expert-rows.ts';

const own: ExpertRows = { tensor: 'experts.{expert}.up', shape: [6, 4] };
const fused: ExpertRows = { tensor: 'gate_up', shape: [5, 12, 4] };
const table: ExpertRows = { tensor: 'embed', shape: [64, 4] };

test.each<[string, ExpertRows, number, number, object]>([
  ['a tensor of its own', own, 3, 1, { tensor: 'experts.3.up', shape: [6, 4] }],
  [
    'rows of a tensor of its own',
    { ...own, start: 2, count: 3 },
    3,
    1,
    { tensor: 'experts.3.up', shape: [6, 4], rowStart: 2, rowCount: 3 },
  ],
  [
    'the first rows of its part of a shared one',
    { ...fused, start: 0, count: 6 },
    2,
    1,
    { tensor: 'gate_up', shape: [5, 12, 4], rowStart: 24, rowCount: 6 },
  ],
  [
    'the rest of its part of a shared one',
    { ...fused, start: 6 },
    2,
    1,
    { tensor: 'gate_up', shape: [5, 12, 4], rowStart: 30, rowCount: 6 },
  ],
  [
    'one row each of eight experts',
    table,
    16,
    8,
    { tensor: 'embed', shape: [64, 4], rowStart: 16, rowCount: 8 },
  ],
])('%s', (_name, rows, first, count, wanted) => {
  expect(rowsOf(rows, first, count)).toEqual(wanted);
});

test('several experts have no rows together where each has a tensor, or only a part of its rows', () => {
  expect(() => rowsOf(own, 0, 2)).toThrow('no rows of several experts');
  expect(() => rowsOf({ ...fused, start: 6, count: 6 }, 0, 2)).toThrow('no rows of several experts');
});

test('headers are looked at once for all experts where their rows follow one another, else expert by expert', () => {
  const piecesIn = (rows: ExpertRows, experts: number) => [...piecesOf(rows, experts)];
  expect(piecesIn(table, 64)).toEqual([{ piece: { ...table, rowStart: 0, rowCount: 64 }, experts: 64 }]);
  expect(piecesIn(own, 2).map(({ piece }) => piece.tensor)).toEqual(['experts.0.up', 'experts.1.up']);
  const halves = piecesIn({ ...fused, start: 6 }, 5);
  expect(halves.map(({ piece, experts }) => [piece.rowStart, piece.rowCount, experts])).toEqual(
    [6, 18, 30, 42, 54].map((start) => [start, 6, 1]),
  );
});
