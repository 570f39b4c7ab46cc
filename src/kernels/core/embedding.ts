import source from '../../../shaders/core/embedding.wgsl?raw';
import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';
import { assertWholeUnits, listFormats, scalesPart, unitWeights, weightsParts } from '../weights.ts';

/** Problem size, which determines the grid: [tokens, cols]. */
export interface EmbeddingSize {
  readonly tokens: number;
  readonly cols: number;
}

/**
 * y[t, :] = multiplier * table[ids[t], :], zeros for ids outside the vocabulary. The table may be a part of it: `rows` rows
 * from `first` on; tokens of other rows are then unchanged. Bound by memory: there is no choice to tune.
 *
 * ids [tokens] u32, table [rows, cols] in any weight format -> y [tokens, cols]
 */
export const embedding = defineKernel({
  name: 'embedding',
  bindings: { ids: 'read', table: 'read', y: 'write' },
  params: {
    tokens: 'u32',
    vocab: 'u32',
    cols: 'u32',
    scales: 'u32',
    multiplier: 'f32',
    first: 'u32',
    rows: 'u32',
  },
  variants: listFormats([cross({ scalar: SCALARS, wg: [64] })]),
  parts: ({ scalar, format }) => [
    scalarPrelude(scalar),
    gridPart,
    ...weightsParts(format),
    scalesPart(format, 'table'),
    { name: 'core/embedding.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, format, wg }) => `embedding/${scalar}/${format}/wg${wg}`,
  grid: ({ tokens, cols }: EmbeddingSize, { format, wg }) => {
    assertWholeUnits(format, cols);
    return foldGrid(Math.ceil((tokens * cols) / unitWeights(format) / wg));
  },
});
