import { describe, expect, test } from 'vitest';
import { biased } from './rewire.ts';

describe('biases beside the hooks of a request', () => {
  test('there are none', () => {
    expect(biased(undefined, [[1, 2], [], [3]])).toEqual({ layers: [{ bias: [1, 2] }, null, { bias: [3] }] });
  });

  test('they are added to those of the layer, or of all layers', () => {
    const hooks = { all: { bias: [1, 1], mask: [0] }, layers: [null, { bias: [2, 4], ranks: [1] }] };
    const deltas = [
      [0.5, -1],
      [1, 1],
    ];
    expect(biased(hooks, deltas)).toEqual({
      layers: [
        { bias: [1.5, 0], mask: [0] },
        { bias: [3, 5], ranks: [1] },
      ],
    });
  });

  test('a layer whose router takes no biases keeps what it has', () => {
    expect(biased({ all: {} }, [[]])).toEqual({ layers: [{}] });
  });
});
