import type { Part } from '../gpu/program.ts';
import dotBf16 from '../../shaders/lib/dot-bf16.wgsl?raw';
import dotF16 from '../../shaders/lib/dot-f16.wgsl?raw';
import dotF32 from '../../shaders/lib/dot-f32.wgsl?raw';
import dotQ40 from '../../shaders/lib/dot-q4_0.wgsl?raw';
import dotQ80 from '../../shaders/lib/dot-q8_0.wgsl?raw';
import reduceQuad from '../../shaders/lib/reduce4-quad.wgsl?raw';
import reduceSubgroup from '../../shaders/lib/reduce4-subgroup.wgsl?raw';
import reduceWorkgroup from '../../shaders/lib/reduce4-workgroup.wgsl?raw';
import { WEIGHT_FORMATS, type Scalar, type WeightFormat } from './common.ts';
import type { PoolCount } from './expert-pool.ts';
import { cross } from './kernel.ts';

/** A form of the kernels that run chosen experts for a few tokens, lanes along a row of weights. */
export type ExpertVariant = {
  readonly scalar: Scalar;
  readonly format: WeightFormat;
  readonly pools: PoolCount;
  readonly reduction: Reduction;
  readonly subgroups: boolean;
  readonly wg: number; // lanes along a row
};

/** How the lanes of a workgroup add up: a quad needs no workgroup memory. */
export type Reduction = 'quad' | 'subgroup' | 'workgroup';

/** 32 lanes read whole cache lines: for GPUs. A quad suits software adapters, where a barrier costs as much as a row. */
const SHAPES = [
  { reduction: 'subgroup', subgroups: true, wg: 32 },
  { reduction: 'workgroup', subgroups: false, wg: 32 },
  { reduction: 'quad', subgroups: true, wg: 4 },
] as const;

/** All forms over some scalars and pools. The same reduction gives the same bits for any number of pools. */
export function expertVariants(scalars: readonly Scalar[], pools: readonly PoolCount[]): ExpertVariant[] {
  return cross({ scalar: scalars, format: WEIGHT_FORMATS, pools }).flatMap((form) =>
    SHAPES.filter(({ reduction }) => form.pools === 1 || reduction !== 'quad').map((shape) => ({
      ...form,
      ...shape,
    })),
  );
}

export function expertKey(name: string, { scalar, format, pools, reduction, wg }: ExpertVariant): string {
  return `${name}/${scalar}/${format}/pools${pools}/${reduction}${wg}`;
}

const DOT_PARTS: Readonly<Record<WeightFormat, string>> = {
  f32: dotF32,
  f16: dotF16,
  bf16: dotBf16,
  q8_0: dotQ80,
  q4_0: dotQ40,
};

/** `UnitInputs`, `unit_inputs`, `unit_dot`: a unit of weights against inputs held in registers. */
export function dotPart(format: WeightFormat): Part {
  return { name: `lib/dot-${format}.wgsl`, text: DOT_PARTS[format] };
}

const REDUCE_PARTS: Readonly<Record<Reduction, string>> = {
  quad: reduceQuad,
  subgroup: reduceSubgroup,
  workgroup: reduceWorkgroup,
};

/** `reduce4`: the sum of a vec4 over the lanes of a workgroup of WG. */
export function reduce4Part(reduction: Reduction): Part {
  return { name: `lib/reduce4-${reduction}.wgsl`, text: REDUCE_PARTS[reduction] };
}
