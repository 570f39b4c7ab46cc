import source from '../../shaders/attention-tiled.wgsl?raw';
import { invariant } from '../errors.ts';
import { attentionRowsPart } from './attention-scores.ts';
import { ATTENTION_PARAMS } from './attention.ts';
import { constants, featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from './common.ts';
import { cross, defineKernel } from './kernel.ts';

export interface TiledAttentionSize {
  readonly tokens: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

const ROWS = 32; // of the shader

/**
 * Attention for many query tokens, past or none: 32 rows (heads of a group, token by token) against 32 keys at a time
 * through workgroup memory. `dims` sizes the sums that lanes hold in registers: larger heads are cut into parts of so many
 * dimensions, a workgroup each.
 */
export const attentionTiled = defineKernel({
  name: 'attention-tiled',
  bindings: { q: 'read', k_cache: 'read', v_cache: 'read', o: 'write' },
  params: ATTENTION_PARAMS,
  variants: cross({ scalar: SCALARS, dims: [128, 256] }),
  parts: ({ scalar, dims }) => [
    scalarPrelude(scalar),
    constants({ CHUNKS: dims / 32 }),
    gridPart,
    attentionRowsPart,
    { name: 'attention-tiled.wgsl', text: source },
  ],
  overrides: () => ({}),
  features: featuresOf,
  key: ({ scalar, dims }) => `attention-tiled/${scalar}/d${dims}`,
  grid: ({ tokens, heads, kvHeads, headDim }: TiledAttentionSize, { dims }) => {
    invariant(headDim % 4 === 0, () => `head dimension ${headDim}: not a multiple of 4`);
    const tiles = Math.ceil((tokens * heads) / kvHeads / ROWS);
    return foldGrid(kvHeads * tiles * Math.ceil(headDim / dims));
  },
});
