import source from '../../../shaders/norm/add-normed.wgsl?raw';
import { render } from '../../gpu/program.ts';
import { featuresOf, foldGrid, gridPart, reducePart, scalarPrelude } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';
import type { RmsNormSize } from './rms-norm.ts';

const PLAIN = { x: 'read', branch: 'read', gain: 'read', y: 'write' } as const;
const SCALED = { ...PLAIN, factor: 'read' } as const;

/**
 * The end of a branch with a norm behind it: y = factor * (x + scale * rmsNorm(branch) * gain). All are of the residual
 * stream, always f32.
 *
 * x and branch [rows, cols], gain [cols], factor [1], if there is one -> y [rows, cols]
 */
export const addNormed = defineKernel({
  name: 'add-normed',
  bindings: SCALED,
  bindingsOf: ({ scaled }) => (scaled ? SCALED : PLAIN),
  params: { rows: 'u32', cols: 'u32', eps: 'f32', scale: 'f32' },
  variants: cross({ scalar: ['f32'], scaled: [false, true], subgroups: [false, true], wg: [4, 64, 256] }),
  parts: ({ scalar, scaled, subgroups }) => [
    scalarPrelude(scalar, subgroups),
    gridPart,
    reducePart(subgroups),
    render({ name: 'norm/add-normed.wgsl', text: source }, { scaled }),
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scaled, subgroups, wg }) =>
    `add-normed/${scaled ? 'scaled' : 'plain'}/${subgroups ? 'sg' : 'wg'}${wg}`,
  grid: ({ rows }: RmsNormSize) => foldGrid(rows),
});
