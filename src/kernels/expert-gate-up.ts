import source from '../../shaders/expert-gate-up.wgsl?raw';
import { activationPart } from './activation.ts';
import { featuresOf, foldGrid, SCALARS } from './common.ts';
import { expertKey, expertParts, expertVariants } from './expert-parts.ts';
import { withPools } from './expert-pool.ts';
import { defineKernel } from './kernel.ts';
import { assertWholeUnits } from './weights.ts';

export interface ExpertGateUpSize {
  readonly pairs: number; // tokens * topK
  readonly hidden: number;
  readonly width: number;
}

const OWN = { x: 'read', ids: 'read', table: 'read', h: 'write' } as const;
const ROWS = 4; // of both matrices, to a workgroup

/**
 * The first half of the chosen experts for a few tokens: act(gate x) * (up x), each pair for itself.
 *
 * Floor: the bytes of both matrices, once for each pair: 2 * width * hidden * (4, 2, 1.0625 or 0.5625).
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
  },
  variants: expertVariants(SCALARS, [1, 4]),
  parts: (variant) => [
    ...expertParts(variant, OWN),
    activationPart,
    { name: 'expert-gate-up.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: (variant) => expertKey('expert-gate-up', variant),
  grid: ({ pairs, hidden, width }: ExpertGateUpSize, { format }) => {
    assertWholeUnits(format, hidden);
    return foldGrid(pairs * Math.ceil(width / ROWS));
  },
});
