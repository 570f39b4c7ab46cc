import source from '../../../shaders/core/add-shared.wgsl?raw';
import { render } from '../../gpu/program.ts';
import { activationPart } from './activation.ts';
import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid: [tokens, cols]. */
export interface AddSharedSize {
  readonly tokens: number;
  readonly cols: number; // a multiple of 4
}

const PLAIN = { a: 'read', b: 'read', y: 'write' } as const;
const GATED = { ...PLAIN, gate: 'read' } as const;

/**
 * y = a + factor * b, row by row: output of the routed experts and of the shared one. The factor is the sigmoid of a
 * token's gate (`scale` is then unused), or `scale` for all tokens, as in a residual addition.
 *
 * a and b [tokens, cols], gate [tokens] f32 -> y [tokens, cols]; cols is a multiple of 4
 */
export const addShared = defineKernel({
  name: 'add-shared',
  bindings: GATED,
  bindingsOf: ({ gated }) => (gated ? GATED : PLAIN),
  params: { tokens: 'u32', cols: 'u32', scale: 'f32' },
  variants: cross({ scalar: SCALARS, gated: [false, true], wg: [64] }),
  parts: ({ scalar, gated }) => [
    scalarPrelude(scalar),
    gridPart,
    ...(gated ? [activationPart] : []),
    render({ name: 'core/add-shared.wgsl', text: source }, { gated }),
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, gated, wg }) => `add-shared/${scalar}/${gated ? 'gated' : 'scaled'}/wg${wg}`,
  grid: ({ tokens, cols }: AddSharedSize, { wg }) => foldGrid(Math.ceil((tokens * cols) / 4 / wg)),
});
