import source from '../../../shaders/experts/expert-combine.wgsl?raw';
import { render } from '../../gpu/program.ts';
import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid: [tokens, hidden]. */
export interface ExpertCombineSize {
  readonly tokens: number;
  readonly hidden: number;
}

const PLAIN = { out: 'read', weights: 'read', y: 'write' } as const;
const SORTED = { ...PLAIN, place: 'read' } as const;

/**
 * y[t, :] = sum over ranks of weights * out, in rank order. `sorted`: rows are in the order of sparse-dispatch.
 *
 * out [rows, hidden] f32, weights [tokens, top_k] f32, place [tokens * top_k] u32 -> y [tokens, hidden]
 */
export const expertCombine = defineKernel({
  name: 'expert-combine',
  bindings: SORTED,
  bindingsOf: ({ sorted }) => (sorted ? SORTED : PLAIN),
  params: { tokens: 'u32', top_k: 'u32', hidden: 'u32' },
  variants: cross({ scalar: SCALARS, sorted: [false, true], wg: [64] }),
  parts: ({ scalar, sorted }) => [
    scalarPrelude(scalar),
    gridPart,
    render({ name: 'experts/expert-combine.wgsl', text: source }, { sorted }),
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, sorted, wg }) => `expert-combine/${scalar}/${sorted ? 'sorted' : 'pairs'}/wg${wg}`,
  grid: ({ tokens, hidden }: ExpertCombineSize, { wg }) => foldGrid(Math.ceil((tokens * hidden) / (4 * wg))),
});
