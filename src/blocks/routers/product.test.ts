import { expect, test } from 'vitest';
import type { Router } from '../block.ts';
import type { RouterSpec } from '../../models/spec.ts';
import { product } from './product.ts';
import { productKeys } from './product-keys.ts';

const PRODUCT: RouterSpec = {
  score: { kind: 'product' },
  select: { kind: 'topK', k: 2 },
  weigh: { from: 'exp', normalise: 'sum' },
};
const KEYS: RouterSpec = { ...PRODUCT, score: { kind: 'productKeys' }, weigh: { normalise: 'softmax' } };

const check = (spec: RouterSpec, experts = 16) => {
  const router: Router = spec.score.kind === 'product' ? product : productKeys;
  router.check?.(spec, 'model', experts);
};

test('the product routers of existing models are accepted', () => {
  for (const spec of [PRODUCT, { ...PRODUCT, weigh: { from: 'exp' } as const }, KEYS]) {
    expect(() => check(spec)).not.toThrow();
  }
});

test.each<[string, RouterSpec, RegExp]>([
  ['weights equal to the scores', { ...PRODUCT, weigh: {} }, /from affinity, normalised by none; write/],
  ['a transform', { ...PRODUCT, transform: [{ kind: 'softmax' }] }, /takes no transform/],
  ['a scale', { ...KEYS, weigh: { normalise: 'softmax', scale: 2 } }, /takes no transform, .* or scale/],
  ['a bias', { ...KEYS, select: { kind: 'topK', k: 2, bias: 'b' } }, /takes no transform, bias/],
  ['weights that do not sum to 1', { ...KEYS, weigh: {} }, /these are from affinity, normalised by none/],
])('%s: refused', (_name, spec, message) => {
  expect(() => check(spec)).toThrow(message);
  expect(() => check(spec)).toThrow(expect.objectContaining({ code: 'unsupported-model' }) as Error);
});

test('a number of experts that is not a square is rejected', () => {
  expect(() => check(PRODUCT, 17)).toThrow('17 experts with a product router; wanted a square number');
});
