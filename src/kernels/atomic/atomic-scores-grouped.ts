import source from '../../../shaders/atomic/atomic-scores-grouped.wgsl?raw';
import { activationPart } from '../core/activation.ts';
import { atomicRowsPart, unitSumsPart } from './atomic-parts.ts';
import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../common.ts';
import { expertKey, expertVariants, reduce4Part } from '../experts/expert-parts.ts';
import { poolParts, withPools } from '../experts/expert-pool.ts';
import { defineKernel } from '../kernel.ts';
import { assertWholeUnits, weightsParts } from '../weights.ts';

/** Problem size, which determines the grid: one score per pair. */
export interface AtomicScoresGroupedSize {
  readonly pairs: number; // tokens * topK
  readonly hidden: number;
}

const OWN = { x: 'read', sorted: 'read', table: 'read', neurons: 'write' } as const;
const PAIRS = 4; // per workgroup

/**
 * First half of one-neuron experts, by expert: the result of atomic-scores, from pairs sorted by pair-sort.
 *
 * x [tokens, hidden], sorted [pairs, (id, pair)] u32 -> neurons [tokens, top_k, (activation, slot)]
 */
export const atomicScoresGrouped = defineKernel({
  name: 'atomic-scores-grouped',
  bindings: { ...OWN, pool0: 'read' },
  bindingsOf: ({ pools }) => withPools(OWN, pools),
  params: {
    pairs: 'u32',
    hidden: 'u32',
    top_k: 'u32',
    act: 'u32',
    page_experts: 'u32',
    table_base: 'u32',
    slot_vec4: 'u32',
    in_base: 'u32',
    in_scales: 'u32',
  },
  variants: expertVariants(SCALARS, [1, 4]),
  parts: ({ scalar, format, pools, reduction, subgroups }) => [
    scalarPrelude(scalar, subgroups),
    gridPart,
    ...weightsParts(format, reduction === 'quad'),
    unitSumsPart(format, 'dot'),
    activationPart,
    reduce4Part(reduction),
    ...poolParts(OWN, pools),
    atomicRowsPart(format),
    { name: 'atomic/atomic-scores-grouped.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: (variant) => expertKey('atomic-scores-grouped', variant),
  grid: ({ pairs, hidden }: AtomicScoresGroupedSize, { format }) => {
    assertWholeUnits(format, hidden);
    return foldGrid(Math.ceil(pairs / PAIRS));
  },
});
