import { shortConv } from '../../kernels/recurrent/short-conv.ts';
import { dispatch } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import { nextOf, type Tensor, type Weight } from '../tensor.ts';

/** Inputs, outputs and attributes of a short convolution. */
export interface ShortConvIo {
  readonly gatesX: Tensor; // [tokens, 3 * cols]: in_gate, out_gate, x
  readonly weight: Weight; // f32 [cols, taps]
  readonly recent: Tensor; // state with parity, f32 [taps - 1, cols]: gated inputs of the last tokens
  readonly y: Tensor; // [tokens, cols]
  readonly cols: number;
  readonly taps: number;
}

/** y = out_gate * convolution(in_gate * x): causal, depthwise, over `taps` tokens. */
export const shortConvNode = defineCoreOp<ShortConvIo>({
  name: 'short-conv',
  reads: ({ gatesX, weight, recent }) => [gatesX, weight, recent],
  writes: ({ recent, y }) => [nextOf(recent), y],
  lower(context, { gatesX, weight, recent, y, cols, taps }) {
    const candidates = shortConv.variants.filter(({ scalar }) => scalar === context.scalar);
    return [
      context.choose(shortConv, candidates, `${cols} over ${taps}`, (variant) =>
        dispatch(shortConv, variant, {
          buffers: { gates_x: gatesX, weight, before: recent, after: nextOf(recent), y },
          params: ({ tokens }) => ({ tokens, cols, taps }),
          size: ({ tokens }) => ({ tokens, cols, taps }),
        }),
      ),
    ];
  },
});
