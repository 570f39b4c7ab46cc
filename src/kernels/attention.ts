import source from '../../shaders/attention.wgsl?raw';
import { render } from '../gpu/program.ts';
import { invariant } from '../errors.ts';
import { constants, featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from './common.ts';
import { cross, defineKernel } from './kernel.ts';

export interface AttentionSize {
  readonly tokens: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly splits: number;
}

/** The parameters that all attention kernels share. */
export const ATTENTION_PARAMS = {
  tokens: 'u32',
  past: 'u32',
  heads: 'u32',
  kv_heads: 'u32',
  head_dim: 'u32',
  scale: 'f32',
  window: 'u32',
} as const;

const INPUTS = { q: 'read', k_cache: 'read', v_cache: 'read' } as const;

/**
 * Causal grouped-query attention over the cache for few query tokens. `split: false` writes `o` in one dispatch and
 * wants splits = 1; `split: true` cuts each token's keys into `splits` spans and leaves `partials` for
 * `attentionCombine`. `rows` query heads of one key head share its reads; `wg` bounds the head dimension (4 * wg).
 */
export const attention = defineKernel({
  name: 'attention',
  bindings: { ...INPUTS, o: 'write', partials: 'write' },
  bindingsOf: ({ split }) => (split ? { ...INPUTS, partials: 'write' } : { ...INPUTS, o: 'write' }),
  params: { ...ATTENTION_PARAMS, splits: 'u32' },
  variants: cross({ scalar: SCALARS, split: [false, true], rows: [4, 8], wg: [64] }),
  parts: ({ scalar, split, rows, wg }) => [
    scalarPrelude(scalar),
    constants({ WG: wg, QUADS: rows / 4 }),
    gridPart,
    render({ name: 'attention.wgsl', text: source }, { split }),
  ],
  overrides: () => ({}),
  features: featuresOf,
  key: ({ scalar, split, rows, wg }) => `attention/${scalar}/${split ? 'split' : 'whole'}/r${rows}/wg${wg}`,
  grid: ({ tokens, heads, kvHeads, headDim, splits }: AttentionSize, { split, rows, wg }) => {
    invariant(headDim % 4 === 0 && headDim <= 4 * wg, () => `head dimension ${headDim} on ${wg} lanes`);
    invariant(split || splits === 1, () => `${splits} splits where o is written directly`);
    return foldGrid(tokens * kvHeads * Math.ceil(heads / kvHeads / rows) * splits);
  },
});

/** 4-byte words of the partials of a split attention. */
export function partialsWords({ tokens, heads, headDim, splits }: Omit<AttentionSize, 'kvHeads'>): number {
  return tokens * heads * splits * (headDim + 4);
}

const LEAST_SPAN = 64; // keys: a shorter span costs more to combine than it saves
const MOST_SPLITS = 64;

/** Into how many spans the keys of a step are cut, so that about `wanted` workgroups are in flight. */
export function attentionSplits(keys: number, workgroupsPerSpan: number, wanted = 512): number {
  const most = Math.min(MOST_SPLITS, Math.ceil(keys / LEAST_SPAN));
  return Math.max(1, Math.min(most, Math.ceil(wanted / Math.max(1, workgroupsPerSpan))));
}
