import { render } from '../../gpu/program.ts';
import { activationPart } from '../core/activation.ts';
import { featuresOf, foldGrid, SCALARS } from '../common.ts';
import { hardwarePart, softwarePart } from '../forms/parts.ts';
import { withPools } from './expert-pool.ts';
import { gluKey, gluParts, gluVariants, LANE_OUTS } from './glu-forms.ts';
import { defineKernel } from '../kernel.ts';
import { assertWholeUnits } from '../weights.ts';

/** Problem size, which determines the grid; h is [pairs, width], sums run over `hidden`. */
export interface ExpertGateUpSize {
  readonly pairs: number; // tokens * topK
  readonly hidden: number;
  readonly width: number;
}

const OWN = { x: 'read', ids: 'read', table: 'read', h: 'write' } as const;
const ROWS = 4; // of both matrices, per workgroup

/**
 * The first half of the chosen experts for few tokens: h[pair, :] = act(gate x) * (up x), with or without biases.
 *
 * x [tokens, hidden], ids [tokens, top_k] u32 -> h [tokens * top_k, width] f32; 0 for absent experts
 *
 * Lower bound: bytes of both matrices, once per pair: 2 * width * hidden * (4, 2, 1.0625 or 0.5625).
 */
export const expertGateUp = defineKernel({
  name: 'expert-gate-up',
  bindings: { ...OWN, pool0: 'read' },
  bindingsOf: ({ pools }) => withPools(OWN, pools),
  params: {
    tokens: 'u32',
    top_k: 'u32',
    experts: 'u32',
    hidden: 'u32',
    width: 'u32',
    act: 'u32',
    table_base: 'u32',
    slot_vec4: 'u32',
    gate: 'u32',
    up: 'u32',
    gate_scales: 'u32',
    up_scales: 'u32',
    gate_bias: 'u32',
    up_bias: 'u32',
  },
  variants: gluVariants(SCALARS, [1, 4]),
  parts: (variant) => [
    ...gluParts(variant, OWN),
    activationPart,
    render(
      variant.form === 'lane'
        ? softwarePart('experts/expert-gate-up-lane')
        : hardwarePart('experts/expert-gate-up'),
      { biased: variant.biased },
    ),
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: (variant) => gluKey('expert-gate-up', variant),
  grid: ({ pairs, hidden, width }: ExpertGateUpSize, { format, form, wg }) => {
    assertWholeUnits(format, hidden);
    if (form === 'lane') return foldGrid(Math.ceil((pairs * Math.ceil(width / LANE_OUTS)) / wg));
    return foldGrid(pairs * Math.ceil(width / ROWS));
  },
});
