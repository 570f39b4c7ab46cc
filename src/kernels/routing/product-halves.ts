import quad from '../../../shaders/lib/product-quad.wgsl?raw';
import runs from '../../../shaders/lib/product-runs.wgsl?raw';
import source from '../../../shaders/routing/product-halves.wgsl?raw';
import { featuresOf, foldGrid, gridPart } from '../common.ts';
import { defineKernel } from '../kernel.ts';

/** Maximum number of scores of one half; experts <= MAX_GRID^2. */
export const MAX_GRID = 1024;

/** A variant. `quad`: four lanes without workgroup memory, for software adapters and at most 64 scores. */
export type ProductHalvesVariant = {
  readonly form: 'quad' | 'runs';
  readonly subgroups: boolean;
  readonly wg: number;
};

const MAX_QUAD_GRID = 64;

/** Whether a variant supports halves of n scores. */
export function fitsHalves({ form }: ProductHalvesVariant, n: number): boolean {
  return n <= (form === 'quad' ? MAX_QUAD_GRID : MAX_GRID);
}

const VARIANTS: readonly ProductHalvesVariant[] = [
  { form: 'runs', subgroups: false, wg: 64 },
  { form: 'runs', subgroups: false, wg: 16 },
  { form: 'runs', subgroups: false, wg: 256 },
  { form: 'quad', subgroups: true, wg: 4 },
];

/** Problem size, which determines the grid: a row of scores per token, head and half. */
export interface ProductHalvesSize {
  readonly rows: number; // tokens * heads * 2
}

/**
 * First dispatch of a product router: the best k = min(n, topK) scores of each half in order, and their log-sum-exp.
 * Without batch norm (`norm` 0), `mean` and `variance` are not read; any buffer may be bound, for example `scores`.
 */
export const productHalves = defineKernel({
  name: 'product-halves',
  bindings: {
    scores: 'read', // [tokens, heads, 2, n] f32
    mean: 'read', // [2, n] f32
    variance: 'read', // [2, n] f32
    halves: 'write', // [tokens, heads, 2, k + 1] (f32, u32)
  },
  params: { rows: 'u32', n: 'u32', k: 'u32', norm: 'u32', eps: 'f32', log_softmax: 'u32', apart: 'u32' },
  variants: VARIANTS,
  parts: ({ form, subgroups }) => [
    { name: 'prelude', text: subgroups ? 'enable subgroups;' : '' },
    gridPart,
    { name: 'routing/product-halves.wgsl', text: source },
    form === 'quad'
      ? { name: 'lib/product-quad.wgsl', text: quad }
      : { name: 'lib/product-runs.wgsl', text: runs },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ form, wg }) => `product-halves/${form}${wg}`,
  grid: ({ rows }: ProductHalvesSize) => foldGrid(rows),
});

/** Size of `halves` in u32 words. */
export function halvesWords(rows: number, k: number): number {
  return 2 * rows * (k + 1);
}
