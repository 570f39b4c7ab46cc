import source from '../../../shaders/norm/rms-norm.wgsl?raw';
import { featuresOf, foldGrid, gridPart, reducePart, SCALARS, scalarPrelude } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid: a workgroup per row. */
export interface RmsNormSize {
  readonly rows: number;
}

/**
 * y[r, c] = x[r, c] * gain[c] / rms(x[r, :]) (Zhang and Sennrich 2019). x is the residual stream, always f32.
 *
 * x [rows, cols] f32, gain [cols] f32 -> y [rows, cols]
 */
export const rmsNorm = defineKernel({
  name: 'rms-norm',
  bindings: { x: 'read', gain: 'read', y: 'write' },
  params: { rows: 'u32', cols: 'u32', eps: 'f32' },
  variants: cross({ scalar: SCALARS, subgroups: [false, true], wg: [4, 64, 256] }),
  parts: ({ scalar, subgroups }) => [
    scalarPrelude(scalar, subgroups),
    gridPart,
    reducePart(subgroups),
    { name: 'norm/rms-norm.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, subgroups, wg }) => `rms-norm/${scalar}/${subgroups ? 'sg' : 'wg'}${wg}`,
  grid: ({ rows }: RmsNormSize) => foldGrid(rows),
});
