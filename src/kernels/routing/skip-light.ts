import { foldGrid, gridPart } from '../common.ts';
import { rarePart } from '../forms/parts.ts';
import { cross, defineKernel } from '../kernel.ts';

/** The id of no expert. */
export const NO_EXPERT = 0xffffffff;

/**
 * Skips experts with a weight below `bound`, in place; opt-in.
 *
 * ids [pairs] u32, weights [pairs] f32, both in place
 */
export const skipLight = defineKernel({
  name: 'skip-light',
  bindings: { ids: 'write', weights: 'write' },
  params: { pairs: 'u32', drop_ids: 'u32', bound: 'f32' },
  variants: cross({ wg: [64] }),
  parts: () => [gridPart, rarePart('routing/skip-light')],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ wg }) => `skip-light/wg${wg}`,
  grid: ({ pairs }: { readonly pairs: number }, { wg }) => foldGrid(Math.ceil(pairs / wg)),
});
