import { invariant } from '../../errors.ts';
import { render } from '../../gpu/program.ts';
import { SCORE_FORMS, scoresKey } from './attention.ts';
import { ATTENTION_ROWS_PARAMS, attentionRowsPart, type UnfusedAttentionSize } from './attention-scores.ts';
import { constants, featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../common.ts';
import { hardwarePart } from '../forms/parts.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid: tiles of query rows per key head. */
export type TiledAttentionSize = Omit<UnfusedAttentionSize, 'past'>;

const ROWS = 32; // as in the shader
const BINDINGS = { q: 'read', k_cache: 'read', v_cache: 'read', o: 'write' } as const;

/** Number of workgroups for all rows, in a variant with `dims` dimensions. */
export function attentionTiledGroups(
  { tokens, heads, kvHeads, headDim }: TiledAttentionSize,
  dims: number,
): number {
  return kvHeads * Math.ceil((tokens * heads) / kvHeads / ROWS) * Math.ceil(headDim / dims);
}

/** Multiply-adds per workgroup: scores of its rows and all keys, and its dimensions of the values. */
export function attentionTiledWork(
  { tokens, past, headDim }: Omit<UnfusedAttentionSize, 'heads' | 'kvHeads'>,
  dims: number,
): number {
  return ROWS * (past + tokens) * (headDim + Math.min(headDim, dims));
}

/**
 * Attention for many query tokens with an online softmax (FlashAttention, Dao et al. 2022): 32 rows (heads of a group,
 * token by token) against 32 keys at a time in workgroup memory. `dims` is the number of dimensions that a workgroup sums in
 * registers: larger heads are divided among workgroups.
 *
 * q [tokens, heads, head_dim], k_cache and v_cache [context, kv_heads, head_dim], optional sinks [heads] f32 or key_bias
 * [context, kv_heads] f32 -> o [tokens, heads, head_dim]
 */
export const attentionTiled = defineKernel({
  name: 'attention-tiled',
  bindings: { ...BINDINGS, sinks: 'read', key_bias: 'read' },
  bindingsOf: ({ sinks, biased }) => ({
    ...BINDINGS,
    ...(sinks ? ({ sinks: 'read' } as const) : {}),
    ...(biased ? ({ key_bias: 'read' } as const) : {}),
  }),
  params: ATTENTION_ROWS_PARAMS,
  variants: cross({ scalar: SCALARS, dims: [128, 256] }).flatMap((form) =>
    SCORE_FORMS.map((scores) => ({ ...form, ...scores })),
  ),
  parts: ({ scalar, dims, sinks, biased }) => [
    scalarPrelude(scalar),
    constants({ CHUNKS: dims / 32 }),
    gridPart,
    attentionRowsPart,
    render(hardwarePart('attention/attention-tiled'), { sinks, biased }),
  ],
  overrides: () => ({}),
  features: featuresOf,
  key: ({ scalar, dims, ...scores }) => `attention-tiled/${scalar}/d${dims}${scoresKey(scores)}`,
  grid: (size: TiledAttentionSize, { dims }) => {
    const { headDim } = size;
    invariant(headDim % 4 === 0, () => `head dimension ${headDim}: not a multiple of 4`);
    return foldGrid(size.groups ?? attentionTiledGroups(size, dims));
  },
});
