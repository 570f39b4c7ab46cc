/** Tensor references: the values that they stand for, and what is refused. */
import { expect, test } from 'vitest';
import { tensor } from '../../models/layer/tensor-reference.ts';
import { LayerTensors, type HostTensor, type ReferenceScope } from './tensors.ts';

const of = (shape: readonly number[], ...values: number[]): HostTensor => ({
  shape,
  values: Float32Array.from(values),
});

const count = (...shape: number[]) =>
  of(shape, ...Array(shape.reduce((size, axis) => size * axis, 1)).keys());

const NAMED: Readonly<Record<string, HostTensor>> = {
  matrix: count(2, 3),
  pair: count(2, 2, 2),
  cube: count(2, 2, 3),
  'expert.0': of([1, 2], 1, 2),
  'expert.1': of([2, 2], 3, 4, 5, 6),
  'step.0': of([1], 10),
  'step.1': of([1], 20),
  index: of([2, 2], 1, 0, 1, 1),
  far: of([1, 1], 2),
  codes: of([2, 1, 2], 1, -1, 0, 1),
  scale: of([2], 2, 3),
  blocks: of([2, 1, 1], 2, 5),
  base: of([1, 1, 4], 0, 1, 2, 3),
  zero: of([1, 1, 2], 1, 2),
  steps: of([1, 1, 2], 10, 100),
  signs: of([1, 1, 4], 1, -1, 1, -1),
  residues: of([1, 1, 2], 3, 4),
  left: of([1, 2], 1, 2),
  right: of([2, 2, 1], 1, 1, 2, 3),
  plus: of([2, 1, 1], 100, 200),
};
const tensors = new LayerTensors('layer.safetensors', new Map(Object.entries(NAMED)));

const planes = { base: 'base', zero: 'zero', scale: 'steps', signs: ['signs'], scales: ['residues'] };
const nested = { planes, group: 2 };

const get = (reference: unknown, scope: ReferenceScope = {}) =>
  tensors.get(tensor.read(reference, 'weight'), scope);

test.each<[string, unknown, readonly number[], readonly number[], ReferenceScope?]>([
  ['a name', 'matrix', [2, 3], [0, 1, 2, 3, 4, 5]],
  [
    'ranks that differ, filled with zeros',
    'expert.{expert}',
    [2, 2, 2],
    [1, 2, 0, 0, 3, 4, 5, 6],
    { experts: 2 },
  ],
  ['an iteration', 'step.{iteration}', [1], [20], { iteration: 1 }],
  ['banks behind each other', ['expert.0', 'expert.1'], [3, 2], [1, 2, 3, 4, 5, 6]],
  ['every other column', { tensor: 'matrix', step: 2, axis: 1 }, [2, 2], [0, 2, 3, 5]],
  ['one row, turned', { tensor: 'matrix', start: 1, count: 1, transpose: true }, [3, 1], [3, 4, 5]],
  [
    'the second half of a middle axis',
    { tensor: 'cube', start: 1, axis: 1 },
    [2, 1, 3],
    [3, 4, 5, 9, 10, 11],
  ],
  ['an index set', { gather: 'matrix', index: 'index' }, [2, 2, 3], [3, 4, 5, 0, 1, 2, 3, 4, 5, 3, 4, 5]],
  [
    'an index set, turned',
    { gather: 'matrix', index: 'index', transpose: true },
    [2, 3, 2],
    [3, 0, 4, 1, 5, 2, 3, 3, 4, 4, 5, 5],
  ],
  [
    'shards of rows',
    { gather: 'pair', index: 'index', join: true },
    [2, 4, 2],
    [4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7],
  ],
  [
    'shards of columns',
    { gather: 'pair', index: 'index', join: true, axis: 1 },
    [2, 2, 4],
    [4, 5, 0, 1, 6, 7, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7],
  ],
  ['a form for each expert', { byExpert: ['base', 'signs'] }, [2, 1, 4], [0, 1, 2, 3, 1, -1, 1, -1]],
  ['a scale for each block', { scaled: 'codes', scale: 'blocks', block: [1, 2] }, [2, 1, 2], [2, -2, 0, 5]],
  ['ternary codes', { ternary: 'codes', scale: 'scale' }, [2, 1, 2], [2, -2, 0, 3]],
  ['all planes', nested, [1, 1, 4], [-7, -3, 4, 96]],
  ['the planes of 2 bits', nested, [1, 1, 4], [-10, 0, 0, 100], { level: 2 }],
  ['low rank, the left factor shared', { left: 'left', right: 'right', plus: 'plus' }, [2, 1, 1], [103, 208]],
])('%s', (_name, reference, shape, values, scope) => {
  const found = get(reference, scope);
  expect(found.shape).toEqual(shape);
  expect([...found.values]).toEqual(values);
});

test.each<[string, unknown, RegExp, ReferenceScope?]>([
  ['a missing tensor', 'absent', /"absent" is missing/],
  ['a missing expert', 'expert.{expert}', /"expert.2" is missing/, { experts: 3 }],
  ['banks of different rows', ['matrix', 'expert.0'], /entry 1 is \[1, 2\], wanted \[1, 3\]/],
  ['indices past the end', { tensor: 'matrix', start: 1, count: 2 }, /2 indices from 1 .* axis of 2/],
  ['no index', { tensor: 'matrix', start: 5 }, /indices from 5 .* axis of 2/],
  ['an axis that there is not', { tensor: 'matrix', axis: 2 }, /axis 2 of a tensor \[2, 3\]/],
  ['a vector to turn', { tensor: 'scale', transpose: true }, /no two axes/],
  ['an index past the pool', { gather: 'matrix', index: 'far' }, /index 2; wanted integers from 0 to 1/],
  ['an index that is no matrix', { gather: 'matrix', index: 'scale' }, /index is \[2\]/],
  ['shards of vectors', { gather: 'matrix', index: 'index', join: true }, /pieces are \[2, 3\]/],
  ['scales of other blocks', { scaled: 'codes', scale: 'blocks', block: [1, 1] }, /wanted \[2, 1, 2\]/],
  ['codes that are not ternary', { ternary: 'cube', scale: 'scale' }, /code 2; wanted -1, 0 or 1/],
  ['scales of other experts', { ternary: 'base', scale: 'scale' }, /scale is \[2\], wanted \[1\]/],
  ['a level without planes', nested, /no level of 4 bits; there are 2 to 3/, { level: 4 }],
  ['signs without scales', { planes: { ...planes, scales: [] }, group: 2 }, /1 signs, but 0 scales/],
  ['signs of other numbers', { planes: { ...planes, signs: ['base'] }, group: 2 }, /wanted -1 or 1/],
  ['groups that do not divide', { planes, group: 3 }, /groups of 3 in rows of 4/],
  ['scales of other groups', { planes, group: 4 }, /zero is \[1, 1, 2\], wanted \[1, 1, 1\]/],
  [
    'factors of different ranks',
    { left: 'matrix', right: 'right' },
    /right is \[2, 2, 1\], wanted \[2, 3, 1\]/,
  ],
  ['a sum of another shape', { left: 'left', right: 'right', plus: 'codes' }, /plus is \[2, 1, 2\]/],
])('refused: %s', (_name, reference, message, scope) => {
  expect(() => get(reference, scope)).toThrow(expect.objectContaining({ code: 'bad-file' }));
  expect(() => get(reference, scope)).toThrow(message);
});
