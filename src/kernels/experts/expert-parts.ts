import type { Part } from '../../gpu/program.ts';
import { type Scalar } from '../common.ts';
import { hardwarePart, softwarePart } from '../forms/parts.ts';
import type { PoolCount } from './expert-pool.ts';
import { cross } from '../kernel.ts';
import type { FormatName } from '../../weights/formats/index.ts';
import { listFormats } from '../weights.ts';

/** A variant of the expert kernels for few tokens, with lanes along a row of weights. */
export type ExpertVariant = {
  readonly scalar: Scalar;
  readonly format: FormatName;
  readonly pools: PoolCount;
  readonly reduction: Reduction;
  readonly subgroups: boolean;
  readonly wg: number; // lanes along a row
};

/** Reduction over the lanes of a workgroup; `quad` needs no workgroup memory. */
export type Reduction = 'quad' | 'subgroup' | 'workgroup';

/** 32 lanes read whole cache lines, for GPUs. A quad is for software adapters, where a barrier costs as much as a row. */
const SHAPES = [
  { reduction: 'subgroup', subgroups: true, wg: 32 },
  { reduction: 'workgroup', subgroups: false, wg: 32 },
  { reduction: 'quad', subgroups: true, wg: 4 },
] as const;

/** All variants for some scalars and pools. A reduction gives the same bits for any number of pools. */
export function expertVariants(scalars: readonly Scalar[], pools: readonly PoolCount[]): ExpertVariant[] {
  const given = cross({ scalar: scalars, pools });
  return listFormats(
    SHAPES.map((shape) =>
      given
        .filter((one) => one.pools === 1 || shape.reduction !== 'quad')
        .map((one) => ({ ...one, ...shape })),
    ),
  );
}

/** The pipeline key of a variant. */
export function expertKey(name: string, { scalar, format, pools, reduction, wg }: ExpertVariant): string {
  return `${name}/${scalar}/${format}/pools${pools}/${reduction}${wg}`;
}

/** WGSL `reduce4`: the sum of a vec4 over the lanes of a workgroup of WG. */
export function reduce4Part(reduction: Reduction): Part {
  return reduction === 'quad' ? softwarePart('lib/reduce4-quad') : hardwarePart(`lib/reduce4-${reduction}`);
}
