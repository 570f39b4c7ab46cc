import source from '../../../shaders/routing/held-rows.wgsl?raw';
import { foldGrid, gridPart } from '../common.ts';
import { defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid: [tokens, cols]. */
export interface HeldRowsSize {
  readonly tokens: number;
  readonly cols: number;
}

/**
 * Repeats the row of the first position of each run of `every` positions for all tokens of the run, and keeps it for later steps.
 *
 * x [tokens, cols] f32, kept [runs, cols] f32 -> y [tokens, cols] f32; rows of kept whose positions are in the step, if `keeps` is 1
 */
export const heldRows = defineKernel({
  name: 'held-rows',
  bindings: { x: 'read', kept: 'write', y: 'write' },
  params: { tokens: 'u32', past: 'u32', cols: 'u32', every: 'u32', keeps: 'u32' },
  variants: [{ wg: 64 }],
  parts: () => [gridPart, { name: 'routing/held-rows.wgsl', text: source }],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ wg }) => `held-rows/wg${wg}`,
  grid: ({ tokens, cols }: HeldRowsSize, { wg }) => foldGrid(Math.ceil((tokens * cols) / wg)),
});
