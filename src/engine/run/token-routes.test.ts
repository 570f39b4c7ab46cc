import { expect, test } from 'vitest';
import { GraphBuilder } from '../../graph/builder.ts';
import { NO_EXPERT } from '../../graph/ops/skip-light.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { tokenRoutes } from './token-routes.ts';

test('rows have neither what fills them nor what was dropped', () => {
  const builder = new GraphBuilder();
  const ids = builder.tensor('ids', { type: 'u32', perToken: 4 });
  const weights = builder.tensor('weights', { type: 'f32', perToken: 4 });
  const route = { specLayer: 0, bank: 0, experts: 8, ids, weights, look: [] };
  const rows = { ids: [7, NO_EXPERT, 0, 8], weights: [0.5, 0, 0.25, 0] };
  const rowOf = (tensor: Tensor) => (tensor === ids ? rows.ids : rows.weights);
  expect(tokenRoutes([route], rowOf)).toEqual({
    ids: [[7, 0]],
    weights: [[0.5, 0.25]],
  });
});
