import source from '../../../shaders/recurrent/causal-conv.wgsl?raw';
import { render } from '../../gpu/program.ts';
import { activationPart } from '../core/activation.ts';
import { foldGrid, gridPart } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';
import type { ShortConvSize } from './short-conv.ts';

const PLAIN = { x: 'read', weight: 'read', before: 'read', after: 'write', y: 'write' } as const;
const BIASED = { ...PLAIN, bias: 'read' } as const;

/**
 * y = silu(bias + convolution of x), causal and depthwise over a few tokens, of some columns of a projection: what Mamba and
 * gated delta nets do before their recurrence. Its state is x of the last tokens: a step reads `before` and writes `after`.
 *
 * x [tokens, stride] f32: columns first .. first + cols - 1; weight [cols, taps] f32; bias [cols] f32; before, after
 * [taps - 1, cols] f32 -> y [tokens, cols] f32
 */
export const causalConv = defineKernel({
  name: 'causal-conv',
  bindings: BIASED,
  bindingsOf: ({ biased }) => (biased ? BIASED : PLAIN),
  params: { tokens: 'u32', cols: 'u32', taps: 'u32', stride: 'u32', first: 'u32' },
  variants: cross({ biased: [false, true], wg: [64] }),
  parts: ({ biased }) => [
    gridPart,
    activationPart,
    render({ name: 'recurrent/causal-conv.wgsl', text: source }, { biased }),
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ biased, wg }) => `causal-conv/${biased ? 'bias' : 'plain'}/wg${wg}`,
  grid: ({ tokens, cols, taps }: ShortConvSize, { wg }) =>
    foldGrid(Math.ceil(((tokens + taps - 1) * cols) / wg)),
});
