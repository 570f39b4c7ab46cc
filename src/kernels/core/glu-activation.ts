import source from '../../../shaders/core/glu-activation.wgsl?raw';
import { activationPart } from './activation.ts';
import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid: [rows, width]. */
export interface GluActivationSize {
  readonly rows: number;
  readonly width: number; // a multiple of 4
}

/**
 * y = act(gate) * up (GLU variants, Shazeer 2020), for a projection with both halves, gate first. `act`: a code of ACTIVATIONS.
 *
 * gate_up [rows, 2 * width] -> y [rows, width]; width is a multiple of 4
 */
export const gluActivation = defineKernel({
  name: 'glu-activation',
  bindings: { gate_up: 'read', y: 'write' },
  params: { rows: 'u32', width: 'u32', act: 'u32' },
  variants: cross({ scalar: SCALARS, wg: [64] }),
  parts: ({ scalar }) => [
    scalarPrelude(scalar),
    gridPart,
    activationPart,
    { name: 'core/glu-activation.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, wg }) => `glu-activation/${scalar}/wg${wg}`,
  grid: ({ rows, width }: GluActivationSize, { wg }) => foldGrid(Math.ceil((rows * width) / 4 / wg)),
});
