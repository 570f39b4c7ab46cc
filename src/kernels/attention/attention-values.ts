import { render } from '../../gpu/program.ts';
import { ATTENTION_ROWS_PARAMS, attentionRowsPart, type UnfusedAttentionSize } from './attention-scores.ts';
import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../common.ts';
import { softwarePart } from '../forms/parts.ts';
import { cross, defineKernel } from '../kernel.ts';

const BINDINGS = { records: 'read', v_cache: 'read', o: 'write' } as const;

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
 * records, v_cache [context, kv_heads, head_dim], optional sinks [heads] f32 -> o [tokens, heads, head_dim]
 */
export const attentionValues = defineKernel({
  name: 'attention-values',
  bindings: { ...BINDINGS, sinks: 'read' },
  bindingsOf: ({ sinks }) => (sinks ? { ...BINDINGS, sinks: 'read' } : BINDINGS),
  params: ATTENTION_ROWS_PARAMS,
  variants: cross({ scalar: SCALARS, wg: [8, 64], sinks: [false, true] }),
  parts: ({ scalar, sinks }) => [
    scalarPrelude(scalar),
    gridPart,
    attentionRowsPart,
    render(softwarePart('attention/attention-values'), { sinks }),
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, wg, sinks }) => `attention-values/${scalar}/wg${wg}${sinks ? '/sinks' : ''}`,
  grid: (size: UnfusedAttentionSize, { wg }) => foldGrid(size.groups ?? attentionValuesGroups(size, wg)),
});
