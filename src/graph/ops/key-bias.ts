import { keyBias } from '../../kernels/attention/key-bias.ts';
import { dispatch } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import type { Tensor, Weight } from '../tensor.ts';

/** Inputs, outputs and attributes of appending the biases of keys to a cache. */
export interface KeyBiasIo {
  readonly x: Tensor; // f32 [tokens, heads]
  readonly slope: Weight; // f32 [heads]
  readonly cache: Tensor; // f32 state [contextTokens, heads]
  readonly heads: number; // of keys
}

/** Appends exp(slope * softplus(x)) to the cache. */
export const keyBiasNode = defineCoreOp<KeyBiasIo>({
  name: 'key-bias',
  reads: ({ x, slope, cache }) => [x, slope, cache],
  writes: ({ cache }) => [cache],
  lower: (context, { x, slope, cache, heads }) => [
    context.choose(keyBias, keyBias.variants, `${heads}`, (variant) =>
      dispatch(keyBias, variant, {
        buffers: { x, slope, cache },
        params: ({ tokens, past }) => ({ tokens, past, heads }),
        size: ({ tokens }) => ({ tokens, heads }),
      }),
    ),
  ],
});
