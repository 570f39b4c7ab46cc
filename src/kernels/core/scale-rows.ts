import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../common.ts';
import { rarePart } from '../forms/parts.ts';
import { cross, defineKernel } from '../kernel.ts';
import type { AddSharedSize } from './add-shared.ts';

/**
 * y[t, :] = factors[first + t] * x[t, :]: rows by factors of their tokens, or of their positions.
 *
 * x [tokens, cols], factors f32 -> y [tokens, cols]; cols is a multiple of 4
 */
export const scaleRows = defineKernel({
  name: 'scale-rows',
  bindings: { x: 'read', factors: 'read', y: 'write' },
  params: { tokens: 'u32', cols: 'u32', first: 'u32' },
  variants: cross({ scalar: SCALARS, wg: [64] }),
  parts: ({ scalar }) => [scalarPrelude(scalar), gridPart, rarePart('core/scale-rows')],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, wg }) => `scale-rows/${scalar}/wg${wg}`,
  grid: ({ tokens, cols }: AddSharedSize, { wg }) => foldGrid(Math.ceil((tokens * cols) / 4 / wg)),
});
