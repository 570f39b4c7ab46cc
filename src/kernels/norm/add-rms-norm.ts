import source from '../../../shaders/norm/add-rms-norm.wgsl?raw';
import { featuresOf, foldGrid, gridPart, reducePart, SCALARS, scalarPrelude } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid: a workgroup per row. */
export interface AddRmsNormSize {
  readonly rows: number;
}

/**
 * The end of one branch and the start of the next: sum = x + scale * branch, y = rmsNorm(sum) * gain. Only y has the
 * type of activations: the residual stream is f32, because it may exceed 65504, the largest f16.
 *
 * x and branch [rows, cols] f32, gain [cols] f32 -> sum [rows, cols] f32, y [rows, cols]
 */
export const addRmsNorm = defineKernel({
  name: 'add-rms-norm',
  bindings: { x: 'read', branch: 'read', gain: 'read', sum: 'write', y: 'write' },
  params: { rows: 'u32', cols: 'u32', eps: 'f32', scale: 'f32' },
  // 4 lanes are one subgroup of a software adapter, where a barrier costs more than a row
  variants: cross({ scalar: SCALARS, subgroups: [false, true], wg: [4, 64, 256] }),
  parts: ({ scalar, subgroups }) => [
    scalarPrelude(scalar, subgroups),
    gridPart,
    reducePart(subgroups),
    { name: 'norm/add-rms-norm.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, subgroups, wg }) => `add-rms-norm/${scalar}/${subgroups ? 'sg' : 'wg'}${wg}`,
  grid: ({ rows }: AddRmsNormSize) => foldGrid(rows),
});
