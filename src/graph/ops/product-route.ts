import { halvesWords, productHalves } from '../../kernels/product-halves.ts';
import { MAX_COUNT_TOP_K, productRoute, WEIGHTINGS } from '../../kernels/product-route.ts';
import { productRouteReference } from '../../kernels/product-route.reference.ts';
import { dispatch, type LowerContext, type Node } from '../node.ts';
import type { Ref, Tensor, Weight } from '../tensor.ts';

export interface ProductRouteIo {
  readonly scores: Tensor; // f32 [tokens, 2, grid]: rows, then columns
  readonly ids: Tensor; // u32 [tokens, topK]
  readonly weights: Tensor; // f32 [tokens, topK]
  readonly statistics: { readonly eps: number; readonly mean: Weight; readonly variance: Weight } | undefined;
  readonly grid: number;
  readonly topK: number;
  readonly renormalise: boolean;
}

/** The best sums of a row score and a column score: expert = row * grid + column (spec of the Cartesian router). */
export function productRouteNode(label: string, io: ProductRouteIo): Node {
  const { scores, ids, weights, statistics, grid, topK, renormalise } = io;
  return {
    op: 'product-route',
    label,
    lower: (context) => lowerRoute(context, io),
    run: (context) => {
      const { tokens } = context.step;
      const route = productRouteReference(context.floats(scores), {
        tokens,
        heads: 1,
        n: grid,
        topK,
        ...(statistics
          ? {
              norm: {
                mean: context.weight(statistics.mean),
                variance: context.weight(statistics.variance),
                eps: statistics.eps,
              },
            }
          : {}),
        logSoftmax: 1,
        weighting: renormalise ? WEIGHTINGS.renormalised : WEIGHTINGS.joint,
      });
      context.put(ids, route.ids);
      context.put(weights, route.weights);
    },
  };
}

function lowerRoute(context: LowerContext, io: ProductRouteIo) {
  const { scores, ids, weights, statistics, grid, topK, renormalise } = io;
  const k = Math.min(grid, topK);
  const halves = context.scratch('halves', { type: 'u32', perToken: halvesWords(2, k) });
  const logScores = context.scratch('log scores', { type: 'f32', perToken: topK });
  const unused: Ref = scores; // without statistics these bindings are not read
  const shape = `${grid}x${grid} top ${topK}`;
  const form = topK <= MAX_COUNT_TOP_K ? 'count' : 'bins';
  return [
    context.choose(productHalves, productHalves.variants, shape, (variant) =>
      dispatch(productHalves, variant, {
        buffers: {
          scores,
          mean: statistics?.mean ?? unused,
          variance: statistics?.variance ?? unused,
          halves,
        },
        params: ({ tokens }) => ({
          rows: 2 * tokens,
          n: grid,
          k,
          norm: statistics ? 1 : 0,
          eps: statistics?.eps ?? 0,
          log_softmax: 1,
        }),
        size: ({ tokens }) => ({ rows: 2 * tokens }),
      }),
    ),
    context.choose(
      productRoute,
      productRoute.variants.filter((variant) => variant.form === form),
      shape,
      (variant) =>
        dispatch(productRoute, variant, {
          buffers: { halves, ids, scores: logScores, weights },
          params: ({ tokens }) => ({
            rows: tokens,
            n: grid,
            k,
            top_k: topK,
            weighting: renormalise ? WEIGHTINGS.renormalised : WEIGHTINGS.joint,
          }),
          size: ({ tokens }) => ({ rows: tokens }),
        }),
    ),
  ];
}
