import { invariant } from '../../errors.ts';
import { linearNode } from '../../graph/ops/linear.ts';
import { shortConvNode } from '../../graph/ops/short-conv.ts';
import type { ShortConvSpec } from '../../models/spec.ts';
import type { Mixer } from '../block.ts';
import { checkTaps } from '../check-sizes.ts';

/** A gated causal convolution over a few tokens (LFM2, Liquid AI 2025). Its state is the gated inputs of the last tokens. */
export const shortConv: Mixer<ShortConvSpec> = {
  kind: 'shortConv',
  check: ({ taps }, label) => checkTaps(label, taps),
  state: ({ taps, cols }) => [
    { name: 'recent inputs', rewind: 'parity', size: (taps - 1) * cols, type: 'f32' },
  ],
  add(site, x, { taps, cols, input, weight, out }, states) {
    const { builder, label, hidden } = site;
    const recent = states['recent inputs'];
    invariant(recent, () => 'a short convolution keeps its recent inputs');
    const gatesX = builder.tensor(`${label} gates and x`, { perToken: 3 * cols });
    const matrix = site.matrix(input, 3 * cols, hidden);
    builder.add(linearNode(`${label} conv in`, { x, weight: matrix, y: gatesX }));
    const mixed = builder.tensor(`${label} convolved`, { perToken: cols });
    const kernel = builder.exact(weight, cols, taps, { tensor: weight, shape: [cols, 1, taps] });
    builder.add(shortConvNode(label, { gatesX, weight: kernel, recent, y: mixed, cols, taps }));
    const y = site.stream(`${label} conv out`);
    builder.add(linearNode(`${label} conv out`, { x: mixed, weight: site.matrix(out, hidden, cols), y }));
    return y;
  },
};
