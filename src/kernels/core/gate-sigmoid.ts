import source from '../../../shaders/core/gate-sigmoid.wgsl?raw';
import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';
import { activationPart } from './activation.ts';
import type { AddSharedSize } from './add-shared.ts';

/**
 * y = x * sigmoid(gate): the gate of an attention's output.
 *
 * x, gate [tokens, cols] -> y [tokens, cols]; cols is a multiple of 4
 */
export const gateSigmoid = defineKernel({
  name: 'gate-sigmoid',
  bindings: { x: 'read', gate: 'read', y: 'write' },
  params: { tokens: 'u32', cols: 'u32' },
  variants: cross({ scalar: SCALARS, wg: [64] }),
  parts: ({ scalar }) => [
    scalarPrelude(scalar),
    gridPart,
    activationPart,
    { name: 'core/gate-sigmoid.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, wg }) => `gate-sigmoid/${scalar}/wg${wg}`,
  grid: ({ tokens, cols }: AddSharedSize, { wg }) => foldGrid(Math.ceil((tokens * cols) / 4 / wg)),
});
