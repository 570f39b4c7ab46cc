import { render, type Part } from '../../gpu/program.ts';
import { constants, featuresOf } from '../common.ts';
import { hardwarePart } from '../forms/parts.ts';
import { defineKernel } from '../kernel.ts';
import {
  LINEAR_BIASED,
  LINEAR_PARAMS,
  LINEAR_PLAIN,
  linearCommonParts,
  linearGrid,
  linearKey,
  linearLaneParts,
  linearVariants,
  type LinearSize,
  type LinearVariant,
} from './linear.ts';

const STAGED_LANES = 64;

function tileParts(variant: LinearVariant): Part[] {
  const { bias, outs } = variant;
  return [
    ...linearCommonParts(variant),
    constants({ TILE_OUTS: outs }),
    render(hardwarePart('linear/linear-tiled'), { bias, wide: outs === 64 }),
  ];
}

/**
 * y = multiplier * (x W^T + bias) for many rows: bindings, parameters and result as those of `linear`.
 *
 * Tiles of 32 rows by 32 or 64 outputs in workgroup memory for GPUs; independent lanes with eight rows for software adapters.
 *
 * Lower bound: 2 * rows * cols * outs operations. A lane of a tile does 64 (wide: 128) of them per 8 (12) vec4 reads of
 * workgroup memory; w is read rows / 32 times, x outs / TILE_OUTS times.
 * SwiftShader, two cores, 256 x 192 x 576, on a busy machine: lanes f32 2.4 GFLOP/s, f16 1.7; tiles 0.4.
 */
export const linearTiled = defineKernel({
  name: 'linear-tiled',
  bindings: LINEAR_BIASED,
  bindingsOf: ({ bias }) => (bias ? LINEAR_BIASED : LINEAR_PLAIN),
  params: LINEAR_PARAMS,
  variants: linearVariants([
    { rows: 32, outs: 32, lanes: STAGED_LANES, subgroups: false, wg: STAGED_LANES },
    { rows: 32, outs: 64, lanes: STAGED_LANES, subgroups: false, wg: STAGED_LANES },
    { rows: 8, outs: 8, lanes: 1, subgroups: false, wg: 4 },
    { rows: 8, outs: 32, lanes: 1, subgroups: false, wg: 4 },
  ]),
  parts: (variant) => (variant.lanes === 1 ? linearLaneParts(variant) : tileParts(variant)),
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: (variant) => linearKey('linear-tiled', variant),
  grid: (size: LinearSize, variant) => linearGrid(size, variant),
});
