import { expect, test } from 'vitest';
import { GraphBuilder } from './builder.ts';
import type { Node } from './node.ts';
import { nextOf, type Tensor } from './tensor.ts';

function node(reads: readonly Tensor[], writes: readonly Tensor[]): Node {
  return { op: 'toy', label: 'one', io: {}, reads, writes, lower: () => [], run: () => {} };
}

const STATE = { role: 'state', rewind: 'parity', fixed: 4 } as const;

test('a state with parity is two tensors: the current and the next value', () => {
  const builder = new GraphBuilder();
  const h = builder.tensor('h', STATE);
  builder.add(node([h], [nextOf(h)]));
  expect(builder.buildPart().tensors.map(({ name, role }) => [name, role])).toEqual([
    ['ids', 'input'],
    ['h', 'state'],
    ['h next', 'state'],
  ]);
  expect(() => nextOf(builder.tensor('x', { fixed: 4 }))).toThrow(/x is not a state with parity/);
});

test.each([
  ['the current value is written', (h: Tensor) => node([h], [h]), /toy one writes h; write its next value/],
  [
    'the next value is read first',
    (h: Tensor) => node([nextOf(h)], []),
    /toy one reads h next, which no earlier node/,
  ],
  [
    'the next value is not written',
    (h: Tensor) => node([h], []),
    /no node writes the next value of the state h/,
  ],
])('refused: %s', (_case, make, message) => {
  const builder = new GraphBuilder();
  const h = builder.tensor('h', STATE);
  expect(() => {
    builder.add(make(h));
    builder.buildPart();
  }).toThrow(message);
});
