import { render } from '../../gpu/program.ts';
import { invariant } from '../../errors.ts';
import { constants, featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../common.ts';
import { hardwarePart } from '../forms/parts.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid: [tokens, heads], each divided into spans of keys. */
export interface AttentionSize {
  readonly tokens: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly splits: number;
}

/** Parameters common to all attention kernels. */
export const ATTENTION_PARAMS = {
  tokens: 'u32',
  past: 'u32',
  heads: 'u32',
  kv_heads: 'u32',
  head_dim: 'u32',
  scale: 'f32',
  window: 'u32',
  chunk: 'u32',
} as const;

const INPUTS = { q: 'read', k_cache: 'read', v_cache: 'read' } as const;
const SINKS = { sinks: 'read' } as const; // f32 [heads]: scores of a key without a value

const BIASES = { key_bias: 'read' } as const; // f32 [context, kv_heads]: added to the scores of a key

/** What scores consist of beside products: nothing more, sinks, or biases of keys. */
export const SCORE_FORMS = [
  { sinks: false, biased: false },
  { sinks: true, biased: false },
  { sinks: false, biased: true },
] as const;

const WG = 64;

/** The largest head dimension that a variant supports. */
export const MAX_HEAD_DIM = 576;

/** Query heads of one key head that share its reads, and the largest head dimension that then fits workgroup memory. */
const SHAPES = [
  { rows: 1, dims: 256 },
  { rows: 1, dims: MAX_HEAD_DIM },
  { rows: 4, dims: 256 },
  { rows: 4, dims: MAX_HEAD_DIM },
  { rows: 8, dims: 256 },
] as const;

/**
 * Causal grouped-query attention over the cache for few query tokens. `split: false` writes `o` in one dispatch and
 * requires splits = 1; `split: true` divides each token's keys into `splits` spans (Flash-Decoding, Dao et al. 2023) and writes
 * `partials` for `attentionCombine`. With `sinks`, the first span includes them; with `biased`, each key has
 * one of its own. `rows` query heads of one key head share its reads; headDim <= `dims`.
 *
 * q [tokens, heads, head_dim], k_cache and v_cache [context, kv_heads, head_dim] -> o [tokens, heads, head_dim], or
 * partials [tokens, heads, splits, head_dim / 4 + 1] vec4 f32
 */
export const attention = defineKernel({
  name: 'attention',
  bindings: { ...INPUTS, o: 'write', partials: 'write', ...SINKS, ...BIASES },
  bindingsOf: ({ split, sinks, biased }) => ({
    ...INPUTS,
    ...(split ? ({ partials: 'write' } as const) : ({ o: 'write' } as const)),
    ...(sinks ? SINKS : {}),
    ...(biased ? BIASES : {}),
  }),
  params: { ...ATTENTION_PARAMS, splits: 'u32' },
  variants: cross({ scalar: SCALARS, split: [false, true] }).flatMap((form) =>
    SCORE_FORMS.flatMap((scores) => SHAPES.map((shape) => ({ ...form, ...scores, ...shape }))),
  ),
  parts: ({ scalar, split, sinks, biased, rows, dims }) => [
    scalarPrelude(scalar),
    constants({
      WG,
      SETS: rows === 8 ? 2 : 1,
      MOST_COLUMNS: Math.max(WG, dims / 4),
      PARTS: Math.ceil(dims / 4 / WG),
    }),
    gridPart,
    hardwarePart(rows === 1 ? 'lib/heads-1' : 'lib/heads-4'),
    render(hardwarePart('attention/attention'), { split, sinks, biased }),
  ],
  overrides: () => ({}),
  features: featuresOf,
  key: ({ scalar, split, rows, dims, ...scores }) =>
    `attention/${scalar}/${split ? 'split' : 'whole'}/r${rows}/d${dims}${scoresKey(scores)}`,
  grid: ({ tokens, heads, kvHeads, headDim, splits }: AttentionSize, { split, rows, dims }) => {
    invariant(headDim % 4 === 0 && headDim <= dims, () => `head dimension ${headDim}, at most ${dims}`);
    invariant(split || splits === 1, () => `${splits} splits where o is written directly`);
    return foldGrid(tokens * kvHeads * Math.ceil(heads / kvHeads / rows) * splits);
  },
});

/** The end of a variant's key. */
export function scoresKey({ sinks, biased }: { readonly sinks: boolean; readonly biased: boolean }): string {
  return `${sinks ? '/sinks' : ''}${biased ? '/biased' : ''}`;
}

/** The variant for some heads: `rows` is the number of query heads per key head, as far as workgroup memory allows. */
export function attentionForm({ heads, kvHeads, headDim }: Omit<AttentionSize, 'tokens' | 'splits'>) {
  const group = heads / kvHeads;
  const dims = headDim <= 256 ? 256 : MAX_HEAD_DIM;
  return { rows: group === 1 ? 1 : group <= 4 || dims > 256 ? 4 : 8, dims } as const;
}

/** Size in 4-byte words of the partials of split attention. */
export function partialsWords({ tokens, heads, headDim, splits }: Omit<AttentionSize, 'kvHeads'>): number {
  return tokens * heads * splits * (headDim + 4);
}

const MIN_SPAN = 64; // keys: a shorter span costs more to combine than it saves
const MAX_SPLITS = 64;

/** Number of spans of the keys of a step, so that about `wanted` workgroups run concurrently. */
export function attentionSplits(keys: number, workgroupsPerSpan: number, wanted = 512): number {
  const most = Math.min(MAX_SPLITS, Math.ceil(keys / MIN_SPAN));
  return Math.max(1, Math.min(most, Math.ceil(wanted / Math.max(1, workgroupsPerSpan))));
}
