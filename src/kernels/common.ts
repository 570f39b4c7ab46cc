import type { Feature, Part } from '../gpu/program.ts';
import type { Grid } from '../gpu/recorder.ts';
import { invariant } from '../errors.ts';
import gridSource from '../../shaders/lib/grid.wgsl?raw';
import reduceSubgroup from '../../shaders/lib/reduce-subgroup.wgsl?raw';
import reduceWorkgroup from '../../shaders/lib/reduce-workgroup.wgsl?raw';

/** Storage type of activations. Sums are f32 with either. */
export type Scalar = 'f32' | 'f16';

/** Storage types of activations. */
export const SCALARS = ['f32', 'f16'] as const;

/** WGSL `alias scalar = ...; alias scalar4 = vec4<...>;` and the required `enable` directives. */
export function scalarPrelude(scalar: Scalar, subgroups = false): Part {
  const lines = [
    ...(scalar === 'f16' ? ['enable f16;'] : []),
    ...(subgroups ? ['enable subgroups;'] : []),
    `alias scalar = ${scalar};`,
    `alias scalar4 = vec4<${scalar}>;`,
  ];
  return { name: 'prelude', text: lines.join('\n') };
}

/** WGSL constants, for example sizes of function-local arrays: `const NAME = 4u;` */
export function constants(values: Readonly<Record<string, number>>): Part {
  const lines = Object.entries(values).map(([name, value]) => `const ${name} = ${value}u;`);
  return { name: 'constants', text: lines.join('\n') };
}

/** The WebGPU features that a variant requires. */
export function featuresOf(variant: { readonly scalar?: Scalar; readonly subgroups?: boolean }): Feature[] {
  const features: Feature[] = [];
  if (variant.scalar === 'f16') features.push('shader-f16');
  if (variant.subgroups) features.push('subgroups');
  return features;
}

/** WGSL `reduce_sum`, `reduce_max` over the lanes of a workgroup of WG. */
export function reducePart(subgroups: boolean): Part {
  return subgroups
    ? { name: 'lib/reduce-subgroup.wgsl', text: reduceSubgroup }
    : { name: 'lib/reduce-workgroup.wgsl', text: reduceWorkgroup };
}

/** WGSL `linear_group`: the linear workgroup number of a grid folded by `foldGrid`. */
export const gridPart: Part = { name: 'lib/grid.wgsl', text: gridSource };

const MAX_GROUPS_PER_DIMENSION = 65535;

/** Folds a 1-D grid of any number of workgroups into x and y, each at most 65,535; shaders unfold it with `linear_group`. */
export function foldGrid(groups: number): Grid {
  invariant(Number.isInteger(groups) && groups >= 0, () => `a grid of ${groups} groups`);
  if (groups <= MAX_GROUPS_PER_DIMENSION) return [groups, 1, 1];
  const y = Math.ceil(groups / MAX_GROUPS_PER_DIMENSION);
  return [Math.ceil(groups / y), y, 1];
}
