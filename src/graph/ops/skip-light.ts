import { skipLight } from '../../kernels/routing/skip-light.ts';
import { dispatch } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import type { Tensor } from '../tensor.ts';

export { NO_EXPERT } from '../../kernels/routing/skip-light.ts';

/** Inputs and attributes of skipping experts by weight. */
export interface SkipLightIo {
  readonly ids: Tensor; // u32 [tokens, topK], changed in place
  readonly weights: Tensor; // f32 [tokens, topK], changed in place
  readonly topK: number;
  readonly bound: number;
  readonly dropIds: boolean; // for expert kernels that read ids; atomic ones read weights
}

/** Skips experts whose weight is below a bound. Lossy, therefore opt-in. */
export const skipLightNode = defineCoreOp<SkipLightIo>({
  name: 'skip-light',
  reads: ({ ids, weights }) => [ids, weights],
  writes: ({ ids, weights }) => [ids, weights],
  lower: (context, { ids, weights, topK, bound, dropIds }) => [
    context.choose(skipLight, skipLight.variants, `top ${topK}`, (variant) =>
      dispatch(skipLight, variant, {
        buffers: { ids, weights },
        params: ({ tokens }) => ({ pairs: tokens * topK, drop_ids: Number(dropIds), bound }),
        size: ({ tokens }) => ({ pairs: tokens * topK }),
      }),
    ),
  ],
});
