import { addWeighed } from '../../kernels/core/add-weighed.ts';
import { dispatch } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import type { Tensor, Weight } from '../tensor.ts';
import { assertStream, rowsOf } from './norm.ts';

/** Inputs, outputs and attributes of a residual addition with a weight for each column of the stream. */
export interface AddWeighedIo {
  readonly x: Tensor; // f32, as the whole residual stream
  readonly branch: Tensor; // f32
  readonly weights: Weight; // f32 [cols]
  readonly scale: number;
  readonly sum: Tensor; // f32
}

/** sum = weights * x + scale * branch */
export const addWeighedNode = defineCoreOp<AddWeighedIo>({
  name: 'add-weighed',
  reads: ({ x, branch, weights }) => [x, branch, weights],
  writes: ({ sum }) => [sum],
  lower(context, { x, branch, weights, scale, sum }) {
    for (const tensor of [x, branch, sum]) assertStream(tensor, context);
    const { cols } = weights;
    return [
      context.choose(addWeighed, addWeighed.variants, `${cols}`, (variant) =>
        dispatch(addWeighed, variant, {
          buffers: { x, branch, weights, sum },
          params: ({ tokens }) => ({ rows: rowsOf(x, cols, tokens), cols, scale }),
          size: ({ tokens }) => ({ rows: rowsOf(x, cols, tokens), cols }),
        }),
      ),
    ];
  },
});
