import source from '../../../shaders/recurrent/short-conv.wgsl?raw';
import { featuresOf, foldGrid, gridPart, SCALARS, scalarPrelude } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid: outputs [tokens, cols] and the state [taps - 1, cols]. */
export interface ShortConvSize {
  readonly tokens: number;
  readonly cols: number;
  readonly taps: number;
}

/**
 * A causal depthwise convolution of a few taps between two gates (LFM2, Liquid AI 2025). Its state is the gated inputs of the
 * last tokens: a step reads `before` and writes `after`.
 *
 * gates_x [tokens, 3 * cols]: in_gate, out_gate, x; weight [cols, taps] f32; before, after [taps - 1, cols] f32
 * -> y [tokens, cols]
 */
export const shortConv = defineKernel({
  name: 'short-conv',
  bindings: { gates_x: 'read', weight: 'read', before: 'read', after: 'write', y: 'write' },
  params: { tokens: 'u32', cols: 'u32', taps: 'u32' },
  variants: cross({ scalar: SCALARS, wg: [64] }),
  parts: ({ scalar }) => [
    scalarPrelude(scalar),
    gridPart,
    { name: 'recurrent/short-conv.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, wg }) => `short-conv/${scalar}/wg${wg}`,
  grid: ({ tokens, cols, taps }: ShortConvSize, { wg }) =>
    foldGrid(Math.ceil(((tokens + taps - 1) * cols) / wg)),
});
