import source from '../../shaders/product-route.wgsl?raw';
import bins from '../../shaders/lib/product-bins.wgsl?raw';
import count from '../../shaders/lib/product-count.wgsl?raw';
import { constants, foldGrid, gridPart, reducePart } from './common.ts';
import { defineKernel } from './kernel.ts';

/** Experts per head that a product router can choose. */
export const MAX_ROUTE_TOP_K = 512;
/** Up to here candidates are ranked by counting: about 280 of them, each compared with all. */
export const MAX_COUNT_TOP_K = 64;
const BINS = 256;

/** Pairs of ranks (a, b) that can be among the best topK sums: (a + 1)(b + 1) <= topK. About topK ln topK. */
export function candidateCount(topK: number): number {
  let count = 0;
  for (let a = 1; a <= topK; a += 1) count += Math.floor(topK / a);
  return count;
}

export interface ProductRouteSize {
  readonly rows: number; // tokens * heads
}

/** Second dispatch of a product router: the best topK sums of both halves with ids and weights. */
export const productRoute = defineKernel({
  name: 'product-route',
  bindings: {
    halves: 'read', // [tokens, heads, 2, k + 1] (f32, u32)
    ids: 'write', // [tokens, heads, topK] u32
    scores: 'write', // [tokens, heads, topK] f32
    weights: 'write', // [tokens, heads, topK] f32
  },
  params: { rows: 'u32', n: 'u32', k: 'u32', top_k: 'u32', weighting: 'u32' },
  variants: [
    { form: 'count', wg: 16 },
    { form: 'count', wg: 64 },
    { form: 'bins', wg: 64 },
    { form: 'bins', wg: 256 },
  ],
  parts: ({ form }) => [
    form === 'count'
      ? constants({ CANDIDATE_QUADS: Math.ceil(candidateCount(MAX_COUNT_TOP_K) / 4) })
      : constants({ MAX_CANDIDATES: candidateCount(MAX_ROUTE_TOP_K), BINS }),
    gridPart,
    reducePart(false),
    form === 'count'
      ? { name: 'lib/product-count.wgsl', text: count }
      : { name: 'lib/product-bins.wgsl', text: bins },
    { name: 'product-route.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ form, wg }) => `product-route/${form}/wg${wg}`,
  grid: ({ rows }: ProductRouteSize) => foldGrid(rows),
});

/** The values of both kernels' `weighting` parameter. */
export const WEIGHTINGS = { joint: 0, renormalised: 1 } as const;
