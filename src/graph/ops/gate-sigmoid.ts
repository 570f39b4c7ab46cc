import { gateSigmoid } from '../../kernels/core/gate-sigmoid.ts';
import { dispatch } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import type { Tensor } from '../tensor.ts';

/** Inputs and output of a gate by sigmoid. */
export interface GateSigmoidIo {
  readonly x: Tensor; // [tokens, cols]
  readonly gate: Tensor; // [tokens, cols], before the sigmoid
  readonly y: Tensor; // [tokens, cols]
}

/** y = x * sigmoid(gate) */
export const gateSigmoidNode = defineCoreOp<GateSigmoidIo>({
  name: 'gate-sigmoid',
  reads: ({ x, gate }) => [x, gate],
  writes: ({ y }) => [y],
  lower(context, { x, gate, y }) {
    const candidates = gateSigmoid.variants.filter(({ scalar }) => scalar === context.scalar);
    const { perToken: cols } = x;
    return [
      context.choose(gateSigmoid, candidates, `${cols}`, (variant) =>
        dispatch(gateSigmoid, variant, {
          buffers: { x, gate, y },
          params: ({ tokens }) => ({ tokens, cols }),
          size: ({ tokens }) => ({ tokens, cols }),
        }),
      ),
    ];
  },
});
