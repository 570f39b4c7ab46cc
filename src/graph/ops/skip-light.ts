import { skipLight } from '../../kernels/routing/skip-light.ts';
import { dispatch } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import type { Tensor } from '../tensor.ts';

export { NO_EXPERT } from '../../kernels/routing/skip-light.ts';

/** What leaves out light experts. */
export interface SkipLightIo {
  readonly ids: Tensor; // u32 [tokens, topK], changed in place
  readonly weights: Tensor; // f32 [tokens, topK], changed in place
  readonly topK: number;
  readonly bound: number;
  readonly dropIds: boolean; // for experts that look at ids; atomic ones look at weights
}

/** Leaves out the experts whose weight is below a bound. Lossy: only where somebody chose to. */
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
