import downSource from '../../../shaders/experts/expert-down-tiled.wgsl?raw';
import gateUpSource from '../../../shaders/experts/expert-gate-up-tiled.wgsl?raw';
import { render } from '../../gpu/program.ts';
import { activationPart } from '../core/activation.ts';
import { featuresOf, SCALARS } from '../common.ts';
import { withPools } from './expert-pool.ts';
import { gluTileKey, gluTileParts, gluTileVariants, stripGroups } from './glu-forms.ts';
import { defineKernel } from '../kernel.ts';
import { assertWholeUnits } from '../weights.ts';

/** The grid for a known number of tiles. In plans, sparse-dispatch computes it, with this grid's y and z as args_y and args_z. */
export interface ExpertTiledSize {
  readonly tiles: number;
  readonly hidden: number;
  readonly width: number;
}

const GATE_UP = { x: 'read', tiles: 'read', table: 'read', h: 'write' } as const;
const DOWN = { h: 'read', tiles: 'read', table: 'read', out: 'write' } as const;

/**
 * The first half of the experts for many tokens: tiles of pairs of one expert; rows of h in sorted order.
 *
 * x [tokens, hidden], tiles of sparse-dispatch -> h [places, width] f32; rows of absent experts are unchanged
 *
 * Lower bound: 4 * pairs * width * hidden operations. An expert's matrices are read once per `tileRows` of its pairs.
 */
export const expertGateUpTiled = defineKernel({
  name: 'expert-gate-up-tiled',
  bindings: { ...GATE_UP, pool0: 'read' },
  bindingsOf: ({ pools }) => withPools(GATE_UP, pools),
  params: {
    top_k: 'u32',
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
    first_strip: 'u32', // of the grid's y: long dispatches are divided
  },
  variants: gluTileVariants(SCALARS),
  parts: (variant) => [
    ...gluTileParts(variant, GATE_UP),
    activationPart,
    render({ name: 'experts/expert-gate-up-tiled.wgsl', text: gateUpSource }, { biased: variant.biased }),
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: (variant) => gluTileKey('expert-gate-up-tiled', variant),
  grid: ({ tiles, hidden, width }: ExpertTiledSize, variant) => {
    assertWholeUnits(variant.format, hidden);
    return [tiles, stripGroups(variant, width, variant.outs), 1];
  },
});

/**
 * The second half of the experts for many tokens: f32 rows in sorted order, for `expertCombine`.
 *
 * h [places, width] f32, tiles of sparse-dispatch -> out [places, hidden] f32; rows of absent experts are unchanged
 *
 * Lower bound: 2 * pairs * width * hidden operations.
 */
export const expertDownTiled = defineKernel({
  name: 'expert-down-tiled',
  bindings: { ...DOWN, pool0: 'read' },
  bindingsOf: ({ pools }) => withPools(DOWN, pools),
  params: {
    hidden: 'u32',
    width: 'u32',
    table_base: 'u32',
    slot_vec4: 'u32',
    down: 'u32',
    down_scales: 'u32',
    down_bias: 'u32',
    first_strip: 'u32',
  },
  variants: gluTileVariants(['f32']),
  parts: (variant) => [
    ...gluTileParts(variant, DOWN),
    render({ name: 'experts/expert-down-tiled.wgsl', text: downSource }, { biased: variant.biased }),
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: (variant) => gluTileKey('expert-down-tiled', variant),
  grid: ({ tiles, hidden, width }: ExpertTiledSize, variant) => {
    assertWholeUnits(variant.format, width);
    return [tiles, stripGroups(variant, hidden, 2 * variant.outs), 1];
  },
});
