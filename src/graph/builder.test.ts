import { expect, test } from 'vitest';
import { GraphBuilder } from './builder.ts';
import type { Node } from './node.ts';
import { nextOf, type Tensor } from './tensor.ts';

function node(reads: readonly Tensor[], writes: readonly Tensor[]): Node {
  return { op: 'toy', label: 'one', io: {}, reads, writes, lower: () => [], run: () => {} };
}

const STATE = { role: 'state', rewind: 'parity', fixed: 4 } as const;

test('a state that is kept by parity is two tensors: the old one and the next', () => {
  const builder = new GraphBuilder();
  const h = builder.tensor('h', STATE);
  builder.add(node([h], [nextOf(h)]));
  expect(builder.buildPart().tensors.map(({ name, role }) => [name, role])).toEqual([
    ['ids', 'input'],
    ['h', 'state'],
    ['h next', 'state'],
  ]);
  expect(() => nextOf(builder.tensor('x', { fixed: 4 }))).toThrow(/x is no state that is kept by parity/);
});

test.each([
  ['the old one is written', (h: Tensor) => node([h], [h]), /toy one writes h; it is replaced by its next/],
  ['the next one is read first', (h: Tensor) => node([nextOf(h)], []), /toy one reads h next, which no node/],
  [
    'the next one is not written',
    (h: Tensor) => node([h], []),
    /no node writes what comes next of the state h/,
  ],
])('refused: %s', (_case, make, message) => {
  const builder = new GraphBuilder();
  const h = builder.tensor('h', STATE);
  expect(() => {
    builder.add(make(h));
    builder.buildPart();
  }).toThrow(message);
});
