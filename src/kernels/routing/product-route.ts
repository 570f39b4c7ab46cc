import source from '../../../shaders/routing/product-route.wgsl?raw';
import bins from '../../../shaders/lib/product-bins.wgsl?raw';
import countQuad from '../../../shaders/lib/product-count-quad.wgsl?raw';
import count from '../../../shaders/lib/product-count.wgsl?raw';
import type { Part } from '../../gpu/program.ts';
import { constants, featuresOf, foldGrid, gridPart, reducePart } from '../common.ts';
import { defineKernel } from '../kernel.ts';
import { stageOf, type WeighName } from './stages/index.ts';

/** Maximum number of experts per head. */
export const MAX_ROUTE_TOP_K = 512;
/** Maximum topK for ranking by counting: about 280 candidates, each compared with all. */
export const MAX_COUNT_TOP_K = 64;
const BINS = 256;

/** Number of pairs of ranks (a, b) that can be among the best topK sums, (a + 1)(b + 1) <= topK: about topK ln topK. */
export function candidateCount(topK: number): number {
  let count = 0;
  for (let a = 1; a <= topK; a += 1) count += Math.floor(topK / a);
  return count;
}

/** A form: ranking by counting or by bins; `quad` is `count` in four lanes without workgroup memory, for software adapters. */
export type ProductRouteForm = {
  readonly form: 'quad' | 'count' | 'bins';
  readonly subgroups: boolean;
  readonly wg: number;
};

const MAX_QUAD_TOP_K = 34; // 127 candidates

/** Whether a form is correct and efficient for topK experts per head. */
export function fitsRoute({ form }: ProductRouteForm, topK: number): boolean {
  switch (form) {
    case 'quad':
      return topK <= MAX_QUAD_TOP_K;
    case 'count':
      return topK <= MAX_COUNT_TOP_K;
    case 'bins':
      return topK > MAX_COUNT_TOP_K && topK <= MAX_ROUTE_TOP_K;
  }
}

const FORMS: readonly ProductRouteForm[] = [
  { form: 'count', subgroups: false, wg: 64 },
  { form: 'count', subgroups: false, wg: 16 },
  { form: 'bins', subgroups: false, wg: 256 },
  { form: 'bins', subgroups: false, wg: 64 },
  { form: 'quad', subgroups: true, wg: 4 },
];

function formParts(form: ProductRouteForm['form']): Part[] {
  switch (form) {
    case 'quad':
      return [{ name: 'lib/product-count-quad.wgsl', text: countQuad }];
    case 'count':
      return [
        constants({ CANDIDATE_QUADS: Math.ceil(candidateCount(MAX_COUNT_TOP_K) / 4) }),
        { name: 'lib/product-count.wgsl', text: count },
      ];
    case 'bins':
      return [
        constants({ MAX_CANDIDATES: candidateCount(MAX_ROUTE_TOP_K), BINS }),
        { name: 'lib/product-bins.wgsl', text: bins },
      ];
  }
}

/** A variant: a form of the kernel with a weighting. */
export type ProductRouteVariant = ProductRouteForm & { readonly weigh: WeighName };

/** Every form of the kernel with one weighting. */
export function productRouteVariants(weigh: WeighName): ProductRouteVariant[] {
  return FORMS.map((form) => ({ ...form, weigh }));
}

/** The weightings of the built-in product routers. */
const LISTED = ['exp', 'softmax'] as const;

/** Problem size, which determines the grid: a workgroup per token and head. */
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
  params: { rows: 'u32', n: 'u32', k: 'u32', top_k: 'u32', eps: 'f32', scale: 'f32' },
  variants: LISTED.flatMap(productRouteVariants),
  parts: ({ form, subgroups, weigh }) => [
    { name: 'prelude', text: subgroups ? 'enable subgroups;' : '' },
    gridPart,
    reducePart(false),
    ...formParts(form),
    { name: `lib/weigh-${weigh}.wgsl`, text: stageOf('weigh', weigh).wgsl },
    { name: 'routing/product-route.wgsl', text: source },
  ],
  features: featuresOf,
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ weigh, form, wg }) => `product-route/${weigh}/${form}${wg}`,
  grid: ({ rows }: ProductRouteSize) => foldGrid(rows),
});
