import type { Feature, Part } from '../gpu/program.ts';
import type { Grid } from '../gpu/recorder.ts';
import { invariant } from '../errors.ts';
import halfSoftware from '../../shaders/lib/half-software.wgsl?raw';
import halfSource from '../../shaders/lib/half.wgsl?raw';
import gridSource from '../../shaders/lib/grid.wgsl?raw';
import reduceSubgroup from '../../shaders/lib/reduce-subgroup.wgsl?raw';
import reduceWorkgroup from '../../shaders/lib/reduce-workgroup.wgsl?raw';
import weightsBf16 from '../../shaders/lib/weights-bf16.wgsl?raw';
import weightsF16 from '../../shaders/lib/weights-f16.wgsl?raw';
import weightsF32 from '../../shaders/lib/weights-f32.wgsl?raw';
import weightsQ40 from '../../shaders/lib/weights-q4_0.wgsl?raw';
import weightsQ80 from '../../shaders/lib/weights-q8_0.wgsl?raw';

/** Storage type of activations. Sums are f32 in both. */
export type Scalar = 'f32' | 'f16';
export const SCALARS = ['f32', 'f16'] as const;

/** How a weight matrix lies in GPU memory. */
export type WeightFormat = 'f32' | 'f16' | 'bf16' | 'q8_0' | 'q4_0';
export const WEIGHT_FORMATS = ['f32', 'f16', 'bf16', 'q8_0', 'q4_0'] as const;

/** Weights in one 16-byte load: the step in which kernels walk along a row. `cols` is a multiple of it. */
export const WEIGHTS_PER_UNIT: Readonly<Record<WeightFormat, number>> = {
  f32: 4,
  f16: 8,
  bf16: 8,
  q8_0: 16,
  q4_0: 32,
};

/** `alias scalar = ...; alias scalar4 = vec4<...>;` and the directives that they need. */
export function scalarPrelude(scalar: Scalar, subgroups = false): Part {
  const lines = [
    ...(scalar === 'f16' ? ['enable f16;'] : []),
    ...(subgroups ? ['enable subgroups;'] : []),
    `alias scalar = ${scalar};`,
    `alias scalar4 = vec4<${scalar}>;`,
  ];
  return { name: 'prelude', text: lines.join('\n') };
}

/** Numbers that size function-local arrays, and the like: `const NAME = 4u;` */
export function constants(values: Readonly<Record<string, number>>): Part {
  const lines = Object.entries(values).map(([name, value]) => `const ${name} = ${value}u;`);
  return { name: 'constants', text: lines.join('\n') };
}

export function featuresOf(variant: { readonly scalar?: Scalar; readonly subgroups?: boolean }): Feature[] {
  const features: Feature[] = [];
  if (variant.scalar === 'f16') features.push('shader-f16');
  if (variant.subgroups) features.push('subgroups');
  return features;
}

/** `reduce_sum`, `reduce_max` over the lanes of a workgroup of WG. */
export function reducePart(subgroups: boolean): Part {
  return subgroups
    ? { name: 'lib/reduce-subgroup.wgsl', text: reduceSubgroup }
    : { name: 'lib/reduce-workgroup.wgsl', text: reduceWorkgroup };
}

/** `linear_group`: undoes `foldGrid`. */
export const gridPart: Part = { name: 'lib/grid.wgsl', text: gridSource };

const MAX_GROUPS_PER_DIMENSION = 65535;

/** Folds a 1-D grid that may pass 65,535 groups into x and y; shaders unfold it with `linear_group`. */
export function foldGrid(groups: number): Grid {
  invariant(Number.isInteger(groups) && groups >= 0, () => `a grid of ${groups} groups`);
  if (groups <= MAX_GROUPS_PER_DIMENSION) return [groups, 1, 1];
  const y = Math.ceil(groups / MAX_GROUPS_PER_DIMENSION);
  return [Math.ceil(groups / y), y, 1];
}

const WEIGHT_PARTS: Readonly<Record<WeightFormat, string>> = {
  f32: weightsF32,
  f16: weightsF16,
  bf16: weightsBf16,
  q8_0: weightsQ80,
  q4_0: weightsQ40,
};

/**
 * `UNIT`, `unpack_unit`: reads weights of one format out of `array<vec4<u32>>` words. See the files' headers.
 * `half_value`: a scale of theirs, subnormal or not.
 *
 * @param isForSoftware - in forms that only software adapters run
 */
export function weightsParts(format: WeightFormat, isForSoftware = false): Part[] {
  return [
    isForSoftware
      ? { name: 'lib/half-software.wgsl', text: halfSoftware }
      : { name: 'lib/half.wgsl', text: halfSource },
    { name: `lib/weights-${format}.wgsl`, text: WEIGHT_PARTS[format] },
  ];
}
