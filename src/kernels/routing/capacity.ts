import source from '../../../shaders/routing/capacity.wgsl?raw';
import { cross, defineKernel, type ParamValues } from '../kernel.ts';
import { declareBindings } from './declare-bindings.ts';
import { sequencePart, withOffsets } from './sequence.ts';

/** How many tokens of a sequence an expert has room for, and what becomes of the others. */
export interface CapacityRule {
  readonly room: { readonly tokens: number } | { readonly factor: number }; // factor of tokens * k / experts, rounded up
  readonly order: 'token' | 'rank';
  readonly overflow: 'drop' | 'reroute';
  readonly fill: boolean;
}

/** Maximum number of experts. */
export const MAX_CAPACITY_EXPERTS = 1024;

const BINDINGS = { ids: 'read', values: 'read', given: 'write' } as const;

/**
 * Places the choices of each sequence into experts of limited room.
 *
 * ids [tokens, k] u32, values [tokens, experts] f32 -> given [tokens, `capacityPlaces`] u32
 */
export const capacity = defineKernel({
  name: 'capacity',
  bindings: BINDINGS,
  bindingsOf: ({ division }) => withOffsets(BINDINGS, division),
  params: {
    ...{ tokens: 'u32', experts: 'u32', sequences: 'u32', k: 'u32', places: 'u32' },
    ...{ per_expert: 'u32', by_rank: 'u32', factor: 'f32' },
  },
  variants: cross({
    overflow: ['drop', 'reroute'],
    fill: [false, true],
    division: ['one', 'offsets'],
    wg: [64],
  }),
  parts: ({ overflow, fill, division }) => [
    { name: 'constants', text: `const REROUTES = ${overflow === 'reroute'};\nconst FILLS = ${fill};` },
    declareBindings(withOffsets(BINDINGS, division), (name) => (name === 'values' ? 'f32' : 'u32')),
    sequencePart(division),
    { name: 'routing/capacity.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ overflow, fill, division, wg }) =>
    `capacity/${overflow}/${fill ? 'fill' : 'plain'}/${division}/wg${wg}`,
  grid: ({ sequences }: { readonly sequences: number }) => [sequences, 1, 1],
});

/** Places of a token: one for each rank, and with `fill` one for each expert. */
export function capacityPlaces({ fill }: Pick<CapacityRule, 'fill'>, k: number, experts: number): number {
  return k + (fill ? experts : 0);
}

/** The values of the kernel's parameters for a rule. */
export function capacityParams(
  rule: CapacityRule,
  sizes: {
    readonly tokens: number;
    readonly experts: number;
    readonly k: number;
    readonly sequences: number;
  },
): ParamValues<typeof capacity> {
  const { room, order } = rule;
  return {
    ...sizes,
    places: capacityPlaces(rule, sizes.k, sizes.experts),
    per_expert: 'tokens' in room ? room.tokens : 0,
    factor: 'tokens' in room ? 0 : room.factor,
    by_rank: Number(order === 'rank'),
  };
}
