import { featuresOf, foldGrid, gridPart } from '../common.ts';
import { rarePart } from '../forms/parts.ts';
import { defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid: [rows, cols]. */
export interface AddWeighedSize {
  readonly rows: number;
  readonly cols: number; // a multiple of 4
}

/**
 * A residual addition with a weight for each column of the stream (Doge): sum = weights * x + scale * branch.
 *
 * x and branch [rows, cols] f32, weights [cols] f32 -> sum [rows, cols] f32; cols is a multiple of 4
 */
export const addWeighed = defineKernel({
  name: 'add-weighed',
  bindings: { x: 'read', branch: 'read', weights: 'read', sum: 'write' },
  params: { rows: 'u32', cols: 'u32', scale: 'f32' },
  variants: [{ subgroups: false, wg: 64 }],
  parts: () => [gridPart, rarePart('core/add-weighed')],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ wg }) => `add-weighed/wg${wg}`,
  grid: ({ rows, cols }: AddWeighedSize, { wg }) => foldGrid(Math.ceil((rows * cols) / 4 / wg)),
});
