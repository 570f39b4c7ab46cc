import source from '../../../shaders/core/take-row.wgsl?raw';
import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid: one row of `cols`. */
export interface TakeRowSize {
  readonly cols: number; // a multiple of 4
}

/**
 * y = x[row, :]: the position of a chunk whose logits are needed.
 *
 * x [rows, cols] -> y [cols]; cols is a multiple of 4
 */
export const takeRow = defineKernel({
  name: 'take-row',
  bindings: { x: 'read', y: 'write' },
  params: { row: 'u32', cols: 'u32' },
  variants: cross({ scalar: SCALARS, wg: [64] }),
  parts: ({ scalar }) => [scalarPrelude(scalar), gridPart, { name: 'core/take-row.wgsl', text: source }],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, wg }) => `take-row/${scalar}/wg${wg}`,
  grid: ({ cols }: TakeRowSize, { wg }) => foldGrid(Math.ceil(cols / 4 / wg)),
});
