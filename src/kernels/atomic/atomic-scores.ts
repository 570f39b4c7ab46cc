import source from '../../../shaders/atomic/atomic-scores.wgsl?raw';
import { activationPart } from '../core/activation.ts';
import { atomicRowsPart } from './atomic-parts.ts';
import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../common.ts';
import { expertKey, expertVariants, reduce4Part } from '../experts/expert-parts.ts';
import { poolParts, withPools } from '../experts/expert-pool.ts';
import { defineKernel } from '../kernel.ts';
import { assertWholeUnits, dotParts, renderFor, weightsParts } from '../weights.ts';

/** Problem size, which determines the grid; scores are [tokens, topK]. */
export interface AtomicScoresSize {
  readonly tokens: number;
  readonly topK: number;
  readonly hidden: number;
}

const OWN = { x: 'read', ids: 'read', table: 'read', neurons: 'write' } as const;
const PAIRS = 4; // per workgroup

/**
 * First half of one-neuron experts, token by token: the activation of every chosen expert. `neurons` has two words
 * per pair, the activation and the slot number, so that the second half needs no table.
 *
 * x [tokens, hidden], ids [tokens, top_k] u32 -> neurons [tokens, top_k, (activation, slot)]
 */
export const atomicScores = defineKernel({
  name: 'atomic-scores',
  bindings: { ...OWN, pool0: 'read' },
  bindingsOf: ({ pools }) => withPools(OWN, pools),
  params: {
    tokens: 'u32',
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
    ...dotParts(format),
    activationPart,
    reduce4Part(reduction),
    ...poolParts(OWN, pools),
    atomicRowsPart(format),
    renderFor(format, { name: 'atomic/atomic-scores.wgsl', text: source }),
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: (variant) => expertKey('atomic-scores', variant),
  grid: ({ tokens, topK, hidden }: AtomicScoresSize, { format }) => {
    assertWholeUnits(format, hidden);
    return foldGrid(tokens * Math.ceil(topK / PAIRS));
  },
});
