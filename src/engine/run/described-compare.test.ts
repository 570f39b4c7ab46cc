import { expect, test } from 'vitest';
import { parseLayer } from '../../models/layer/layer.ts';
import { compareDescribed } from './described-compare.ts';

const description = parseLayer({
  ...{ format: 'atomoe.layer', version: 1, hiddenSize: 1, experts: 4 },
  router: { score: { kind: 'zero' }, select: { kind: 'topK', k: 2 } },
});
const tensor = (...values: number[]) => ({ shape: [values.length], values: Float32Array.from(values) });
const expected = new Map([
  ['ids', tensor(1, 4)],
  ['state', tensor(0, 1)],
]);

const of2 = { label: 'a file', description, sequenceOffsets: [0, 2] };

const errors = (outputs: Parameters<typeof compareDescribed>[1]) =>
  compareDescribed({ ...of2, expected }, outputs).map(({ error }) => error);

test('counts ids that differ, and measures the others', () => {
  expect(errors({ 'ids.0': Uint32Array.of(1, 4), state: Float32Array.of(0, 1) })).toEqual([0, 0]);
  expect(errors({ 'ids.0': Uint32Array.of(2, 0), state: Float32Array.of(0.5, 1) })).toEqual([2, 0.5]);
});

test('an answer without an output, or of another length, is wrong', () => {
  expect(errors({ 'ids.0': Uint32Array.of(1, 4) })).toEqual([0, Infinity]);
  expect(errors({ 'ids.0': Uint32Array.of(1), state: Float32Array.of(0, 1, 2) })).toEqual([
    Infinity,
    Infinity,
  ]);
});

test('counts the experts that took other tokens than those of the answer', () => {
  const file = { ...of2, expected: new Map([['tokens', tensor(1, 0, 2, 2, 1, 2, 0, 2)]]) }; // of 2 tokens; 2 is none
  const wrong = (...ids: number[]) => compareDescribed(file, { 'ids.0': Uint32Array.from(ids) })[0]?.error;
  expect(wrong(0, 3, 4, 4, 0, 2, 4, 4)).toBe(0);
  expect(wrong(0, 1, 4, 4, 0, 2, 4, 4)).toBe(2);
  expect(wrong()).toBe(4);
});

test('numbers of sequences are those of all their tokens, and bits those of places', () => {
  const sequenceOffsets = [0, 1, 3];
  const answers = new Map([
    ['counts', tensor(2, 0)],
    ['bits', tensor(4, 2)],
  ]);
  const wrong = (counts: number[], bits: number[]) =>
    compareDescribed(
      { ...of2, sequenceOffsets, expected: answers },
      { counts: Float32Array.from(counts), bits: Uint32Array.from(bits) },
    ).map(({ error }) => error);
  expect(wrong([2, 0, 0], [4, 2])).toEqual([0, 0]);
  expect(wrong([2, 0, 1], [2, 2])).toEqual([1, 1]);
  expect(wrong([2, 0], [2, 4])).toEqual([Infinity, 2]);
});

test('an answer that nothing is compared with is refused', () => {
  const file = { ...of2, expected: new Map([['spread', tensor(1)]]) };
  expect(() => compareDescribed(file, {})).toThrow('a file: expected.spread is no known answer');
});
