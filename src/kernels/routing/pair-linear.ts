import floats from '../../../shaders/lib/pair-floats.wgsl?raw';
import ternary from '../../../shaders/lib/pair-ternary.wgsl?raw';
import source from '../../../shaders/routing/pair-linear.wgsl?raw';
import type { Bindings } from '../../gpu/program.ts';
import { foldGrid, gridPart } from '../common.ts';
import { cross, defineKernel, type Variant } from '../kernel.ts';
import { declareBindings } from './declare-bindings.ts';

/** The problem size, which determines the grid. */
export interface PairLinearSize {
  readonly tokens: number;
  readonly places: number;
  readonly outs: number;
}

const ROWS = 4; // outputs of a workgroup

interface PairLinearVariant extends Variant {
  readonly routed: boolean; // whether places have experts
  readonly biased: boolean;
  readonly ternary: boolean; // whether weights are codes with a scale for each expert (ternary-codes.ts)
}

const bindingsOf = ({ routed, biased, ternary: isTernary }: PairLinearVariant): Bindings => ({
  x: 'read',
  weight: 'read',
  ...(isTernary ? { scales: 'read' as const } : {}),
  ...(biased ? { bias: 'read' as const } : {}),
  ...(routed ? { ids: 'read' as const } : {}),
  y: 'write',
});

/**
 * Multiplies the row of each place of a token by the matrix of the expert in that place.
 *
 * x [tokens, x_places, cols], weight [experts, outs, cols], bias [experts, outs], ids [tokens, places] u32 -> y [tokens, places, outs];
 * f32. Ternary weights are codes with scales [experts].
 */
export const pairLinear = defineKernel({
  name: 'pair-linear',
  bindings: { x: 'read', weight: 'read', y: 'write' },
  bindingsOf,
  params: { tokens: 'u32', places: 'u32', x_places: 'u32', experts: 'u32', outs: 'u32', cols: 'u32' },
  variants: cross({
    routed: [true, false],
    biased: [true, false],
    ternary: [false, true],
  }) as PairLinearVariant[],
  parts: (variant) => [
    declareBindings(bindingsOf(variant), (name) =>
      name === 'ids' || (name === 'weight' && variant.ternary) ? 'u32' : 'f32',
    ),
    {
      name: 'readers',
      text: `fn expert_at(place: u32) -> u32 {
  return ${variant.routed ? 'ids[place]' : '0u'};
}

fn bias_at(at: u32) -> f32 {
  return ${variant.biased ? 'bias[at]' : '0.0'};
}

fn scaled(e: u32, sum: f32) -> f32 {
  return ${variant.ternary ? 'scales[e] * sum' : 'sum'};
}`,
    },
    gridPart,
    variant.ternary
      ? { name: 'lib/pair-ternary.wgsl', text: ternary }
      : { name: 'lib/pair-floats.wgsl', text: floats },
    { name: 'routing/pair-linear.wgsl', text: source },
  ],
  overrides: () => ({}),
  key: ({ routed, biased, ternary: isTernary }) =>
    `pair-linear/${routed ? 'routed' : 'plain'}${biased ? '/biased' : ''}${isTernary ? '/ternary' : ''}`,
  grid: ({ tokens, places, outs }: PairLinearSize) => foldGrid(tokens * places * Math.ceil(outs / ROWS)),
});
