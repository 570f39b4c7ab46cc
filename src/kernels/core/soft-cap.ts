import { foldGrid, gridPart } from '../common.ts';
import { rarePart } from '../forms/parts.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid. */
export interface SoftCapSize {
  readonly count: number;
}

/**
 * y = cap * tanh(x / cap), which bounds logits (Gemma 2 and 4).
 *
 * x [count] f32 -> y [count] f32
 */
export const softCap = defineKernel({
  name: 'soft-cap',
  bindings: { x: 'read', y: 'write' },
  params: { count: 'u32', cap: 'f32' },
  variants: cross({ wg: [64] }),
  parts: () => [gridPart, rarePart('core/soft-cap')],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ wg }) => `soft-cap/wg${wg}`,
  grid: ({ count }: SoftCapSize, { wg }) => foldGrid(Math.ceil(count / wg)),
});
