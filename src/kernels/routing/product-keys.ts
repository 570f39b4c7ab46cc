import source from '../../../shaders/routing/product-keys.wgsl?raw';
import { invariant } from '../../errors.ts';
import { foldGrid, gridPart } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

const MAX_KEY = 512; // elements of half a query
const ROWS = 4; // per workgroup

/** Problem size, which determines the grid: [rows, 2, n] scores. */
export interface ProductKeysSize {
  readonly rows: number; // tokens * heads
  readonly n: number;
  readonly key: number;
}

/**
 * Scores of a router with queries and keys (PEER), for product-halves. Without batch norm on the queries
 * (`norm` 0), `mean` and `variance` are not read; any buffer may be bound, for example `query`.
 */
export const productKeys = defineKernel({
  name: 'product-keys',
  bindings: {
    query: 'read', // [tokens, heads, 2, key] f32
    mean: 'read', // [heads, 2, key] f32
    variance: 'read', // [heads, 2, key] f32
    keys_x: 'read', // [n, key] f32
    keys_y: 'read', // [n, key] f32
    scores: 'write', // [tokens, heads, 2, n] f32
  },
  params: { rows: 'u32', heads: 'u32', key: 'u32', n: 'u32', norm: 'u32', eps: 'f32' },
  variants: cross({ wg: [16, 64] }),
  parts: () => [gridPart, { name: 'routing/product-keys.wgsl', text: source }],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ wg }) => `product-keys/wg${wg}`,
  grid: ({ rows, n, key }: ProductKeysSize, { wg }) => {
    invariant(
      key % 4 === 0 && key <= MAX_KEY,
      () => `keys of ${key} numbers: not a multiple of 4 up to ${MAX_KEY}`,
    );
    return foldGrid(2 * Math.ceil(rows / ROWS) * Math.ceil(n / wg));
  },
});
