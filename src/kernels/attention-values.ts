import source from '../../shaders/attention-values.wgsl?raw';
import { attentionRowsPart, type UnfusedAttentionSize } from './attention-scores.ts';
import { ATTENTION_PARAMS } from './attention.ts';
import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from './common.ts';
import { cross, defineKernel } from './kernel.ts';

/** Weighs the values by the records of `attentionScores`. One lane per four rows and eight dimensions. */
export const attentionValues = defineKernel({
  name: 'attention-values',
  bindings: { records: 'read', v_cache: 'read', o: 'write' },
  params: ATTENTION_PARAMS,
  variants: cross({ scalar: SCALARS, wg: [8, 64] }),
  parts: ({ scalar }) => [
    scalarPrelude(scalar),
    gridPart,
    attentionRowsPart,
    { name: 'attention-values.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, wg }) => `attention-values/${scalar}/wg${wg}`,
  grid: ({ tokens, heads, kvHeads, headDim }: UnfusedAttentionSize, { wg }) => {
    const tiles = Math.ceil((tokens * heads) / kvHeads / 4);
    return foldGrid(Math.ceil((tiles * kvHeads * Math.ceil(headDim / 8)) / wg));
  },
});
