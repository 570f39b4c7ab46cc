import source from '../../../shaders/attention/attention-values.wgsl?raw';
import { ATTENTION_ROWS_PARAMS, attentionRowsPart, type UnfusedAttentionSize } from './attention-scores.ts';
import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Number of workgroups for all rows. */
export function attentionValuesGroups(
  { tokens, heads, kvHeads, headDim }: UnfusedAttentionSize,
  wg: number,
): number {
  const tiles = Math.ceil((tokens * heads) / kvHeads / 4);
  return Math.ceil((tiles * kvHeads * Math.ceil(headDim / 8)) / wg);
}

/** Multiply-adds per workgroup: four rows and eight dimensions against all keys in each lane. */
export function attentionValuesWork({ tokens, past }: UnfusedAttentionSize, wg: number): number {
  return wg * 4 * 8 * (past + tokens);
}

/**
 * Weights the values by the records of `attentionScores`. One lane per four rows and eight dimensions.
 *
 * records, v_cache [context, kv_heads, head_dim] -> o [tokens, heads, head_dim]
 */
export const attentionValues = defineKernel({
  name: 'attention-values',
  bindings: { records: 'read', v_cache: 'read', o: 'write' },
  params: ATTENTION_ROWS_PARAMS,
  variants: cross({ scalar: SCALARS, wg: [8, 64] }),
  parts: ({ scalar }) => [
    scalarPrelude(scalar),
    gridPart,
    attentionRowsPart,
    { name: 'attention/attention-values.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, wg }) => `attention-values/${scalar}/wg${wg}`,
  grid: (size: UnfusedAttentionSize, { wg }) => foldGrid(size.groups ?? attentionValuesGroups(size, wg)),
});
