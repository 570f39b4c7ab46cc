import { render } from '../../gpu/program.ts';
import { featuresOf, foldGrid, SCALARS } from '../common.ts';
import { hardwarePart, softwarePart } from '../forms/parts.ts';
import { withPools } from './expert-pool.ts';
import { gluKey, gluParts, gluVariants, LANE_OUTS } from './glu-forms.ts';
import { defineKernel } from '../kernel.ts';
import { assertWholeUnits } from '../weights.ts';

/** Problem size, which determines the grid; y is [tokens, hidden], sums run over `width`. */
export interface ExpertDownSize {
  readonly tokens: number;
  readonly hidden: number;
  readonly width: number;
}

/** Problem size, which determines the grid: one output row per pair. */
export interface ExpertDownPairsSize {
  readonly pairs: number; // tokens * topK
  readonly hidden: number;
  readonly width: number;
}

const OWN = { h: 'read', ids: 'read', weights: 'read', table: 'read', y: 'write' } as const;
const PAIRS_OWN = { h: 'read', ids: 'read', table: 'read', out: 'write' } as const;
const ROWS = 8; // per workgroup

/**
 * The second half of the chosen experts for few tokens, with the weighted sum over them. For one pool only: with four it
 * would bind nine storage buffers; `expertDownPairs` and `expertCombine` then give the same bits.
 *
 * h [tokens * top_k, width] f32, ids and weights [tokens, top_k] -> y [tokens, hidden]
 *
 * Lower bound: bytes of the matrix, once per pair: width * hidden * (4, 2, 1.0625 or 0.5625).
 */
export const expertDown = defineKernel({
  name: 'expert-down',
  bindings: { ...OWN, pool0: 'read' },
  bindingsOf: ({ pools }) => withPools(OWN, pools),
  params: {
    tokens: 'u32',
    top_k: 'u32',
    experts: 'u32',
    hidden: 'u32',
    width: 'u32',
    table_base: 'u32',
    slot_vec4: 'u32',
    down: 'u32',
    down_scales: 'u32',
    down_bias: 'u32',
  },
  variants: gluVariants(SCALARS, [1]),
  parts: (variant) => [
    ...gluParts(variant, OWN),
    render(
      variant.form === 'lane'
        ? softwarePart('experts/expert-down-lane')
        : hardwarePart('experts/expert-down'),
      { biased: variant.biased },
    ),
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: (variant) => gluKey('expert-down', variant),
  grid: ({ tokens, hidden, width }: ExpertDownSize, { format, form, wg }) => {
    assertWholeUnits(format, width);
    if (form === 'lane') return foldGrid(Math.ceil((tokens * Math.ceil(hidden / (2 * LANE_OUTS))) / wg));
    return foldGrid(tokens * Math.ceil(hidden / ROWS));
  },
});

/**
 * As `expertDown` without the sum over experts: one f32 row per pair, for `expertCombine`.
 *
 * h [pairs, width] f32, ids [pairs] u32 -> out [pairs, hidden] f32; 0 for absent experts
 */
export const expertDownPairs = defineKernel({
  name: 'expert-down-pairs',
  bindings: { ...PAIRS_OWN, pool0: 'read' },
  bindingsOf: ({ pools }) => withPools(PAIRS_OWN, pools),
  params: {
    pairs: 'u32',
    experts: 'u32',
    hidden: 'u32',
    width: 'u32',
    table_base: 'u32',
    slot_vec4: 'u32',
    down: 'u32',
    down_scales: 'u32',
    down_bias: 'u32',
  },
  variants: gluVariants(['f32'], [4]),
  parts: (variant) => [
    ...gluParts(variant, PAIRS_OWN),
    render(hardwarePart('experts/expert-down-pairs'), { biased: variant.biased }),
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: (variant) => gluKey('expert-down-pairs', variant),
  grid: ({ pairs, hidden, width }: ExpertDownPairsSize, { format }) => {
    assertWholeUnits(format, width);
    return foldGrid(pairs * Math.ceil(hidden / ROWS));
  },
});
