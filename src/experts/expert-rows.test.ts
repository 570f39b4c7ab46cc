import { expect, test } from 'vitest';
import type { ExpertRows } from '../weights/tensor-rows.ts';
import { pickMatrix, piecesOf, rowsOf, storedShape } from './expert-rows.ts';

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

test('a matrix of every second column of a transposed tensor', () => {
  // Two inputs, three outputs of gate and up, which alternate.
  const rows: ExpertRows = {
    tensor: 'gate_up',
    shape: [5, 2, 6],
    columns: { start: 1, step: 2 },
    transposed: true,
  };
  const shape = [3, 2] as const;
  const stored = storedShape(rows, shape);
  expect(stored).toEqual([2, 6]);
  const values = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
  expect([...pickMatrix(values, rows, { stored, shape })]).toEqual([2, 8, 4, 10, 6, 12]);
  const half = (start: number) =>
    pickMatrix(values, { ...rows, columns: { start, step: 1 } }, { stored, shape });
  expect([...half(0)]).toEqual([1, 7, 2, 8, 3, 9]);
  expect([...half(3)]).toEqual([4, 10, 5, 11, 6, 12]);
});

test('every second column, and a transposed tensor', () => {
  const columns: ExpertRows = { tensor: 'bias', shape: [5, 6], columns: { start: 0, step: 2 } };
  const shape = [1, 3] as const;
  const stored = storedShape(columns, shape);
  expect(stored).toEqual([1, 6]);
  expect([...pickMatrix(Float32Array.of(1, 2, 3, 4, 5, 6), columns, { stored, shape })]).toEqual([1, 3, 5]);
  const down: ExpertRows = { tensor: 'down', shape: [5, 2, 3], transposed: true };
  expect(storedShape(down, [3, 2])).toEqual([2, 3]);
  const turned = pickMatrix(Float32Array.of(1, 2, 3, 4, 5, 6), down, { stored: [2, 3], shape: [3, 2] });
  expect([...turned]).toEqual([1, 4, 2, 5, 3, 6]);
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
