import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../common.ts';
import { hardwarePart } from '../forms/parts.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid: one row per token and head. */
export interface AttentionCombineSize {
  readonly rows: number; // tokens * heads
}

/**
 * Combines the partial results of split attention by their log-sum-exp.
 *
 * partials [rows, splits, head_dim / 4 + 1] vec4 f32 -> o [rows, head_dim], rows = tokens * heads
 */
export const attentionCombine = defineKernel({
  name: 'attention-combine',
  bindings: { partials: 'read', o: 'write' },
  params: { rows: 'u32', head_dim: 'u32', splits: 'u32' },
  variants: cross({ scalar: SCALARS, wg: [8, 32] }),
  parts: ({ scalar }) => [scalarPrelude(scalar), gridPart, hardwarePart('attention/attention-combine')],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, wg }) => `attention-combine/${scalar}/wg${wg}`,
  grid: ({ rows }: AttentionCombineSize) => foldGrid(rows),
});
