import source from '../../shaders/product-halves.wgsl?raw';
import { foldGrid, gridPart } from './common.ts';
import { cross, defineKernel } from './kernel.ts';

/** Scores of one half that a product router can take: experts <= MAX_GRID^2. */
export const MAX_GRID = 1024;

export interface ProductHalvesSize {
  readonly rows: number; // tokens * heads * 2
}

/**
 * First dispatch of a product router: the best k = min(n, topK) scores of each half in order, and their log sums.
 * Without batch-norm (`norm` 0), `mean` and `variance` are not read: bind anything, `scores` itself for instance.
 */
export const productHalves = defineKernel({
  name: 'product-halves',
  bindings: {
    scores: 'read', // [tokens, heads, 2, n] f32
    mean: 'read', // [2, n] f32
    variance: 'read', // [2, n] f32
    halves: 'write', // [tokens, heads, 2, k + 1] (f32, u32)
  },
  params: { rows: 'u32', n: 'u32', k: 'u32', norm: 'u32', eps: 'f32', log_softmax: 'u32' },
  variants: cross({ wg: [16, 64, 256] }),
  parts: () => [gridPart, { name: 'product-halves.wgsl', text: source }],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ wg }) => `product-halves/wg${wg}`,
  grid: ({ rows }: ProductHalvesSize) => foldGrid(rows),
});

/** u32 words of `halves`. */
export function halvesWords(rows: number, k: number): number {
  return 2 * rows * (k + 1);
}
