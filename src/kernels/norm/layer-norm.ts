import { featuresOf, foldGrid, gridPart, reducePart, SCALARS, scalarPrelude } from '../common.ts';
import { rarePart } from '../forms/parts.ts';
import { cross, defineKernel } from '../kernel.ts';
import type { RmsNormSize } from './rms-norm.ts';

/**
 * y[r, c] = (x[r, c] - mean) * gain[c] / deviation + shift[c] (Ba et al. 2016). x is the residual stream, always f32.
 *
 * x [rows, cols] f32, gain and shift [cols] f32 -> y [rows, cols]
 */
export const layerNorm = defineKernel({
  name: 'layer-norm',
  bindings: { x: 'read', gain: 'read', shift: 'read', y: 'write' },
  params: { rows: 'u32', cols: 'u32', eps: 'f32' },
  variants: cross({ scalar: SCALARS, subgroups: [false, true], wg: [4, 64, 256] }),
  parts: ({ scalar, subgroups }) => [
    scalarPrelude(scalar, subgroups),
    gridPart,
    reducePart(subgroups),
    rarePart('norm/layer-norm'),
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, subgroups, wg }) => `layer-norm/${scalar}/${subgroups ? 'sg' : 'wg'}${wg}`,
  grid: ({ rows }: RmsNormSize) => foldGrid(rows),
});
