import { fitsHalves, halvesWords, productHalves } from '../../kernels/routing/product-halves.ts';
import { fitsRoute, productRoute, productRouteVariants } from '../../kernels/routing/product-route.ts';
import { productWeigh } from '../../kernels/routing/rule.ts';
import { invariant } from '../../errors.ts';
import { dispatch, type LowerContext } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import type { Ref, Tensor, Weight } from '../tensor.ts';

/** Inputs, outputs and attributes of a product-key router (Lample et al. 2019). */
export interface ProductRouteIo {
  readonly scores: Tensor; // f32 [tokens, heads, 2, grid]: rows, then columns
  readonly ids: Tensor; // u32 [tokens, heads, topK]
  readonly weights: Tensor; // f32 [tokens, heads, topK]
  readonly sums?: Tensor; // f32 [tokens, heads, topK]: scores of the chosen experts, for reports
  readonly statistics: { readonly eps: number; readonly mean: Weight; readonly variance: Weight } | undefined;
  readonly grid: number;
  readonly heads?: number; // independent heads; default 1
  readonly topK: number; // experts per head
  readonly renormalise: boolean;
  /** Whose two halves a row of scores is: its token's, or as `ProductScoreSpec` says of a prompt. Default: token. */
  readonly split?: 'token' | 'prompt' | undefined;
  readonly logSoftmax?: boolean; // default true; false: sums of scores without log-softmax (PEER)
}

/** The best sums of a row score and a column score: expert = row * grid + column (the Cartesian router of OmniMoE). */
export const productRouteNode = defineCoreOp<ProductRouteIo>({
  name: 'product-route',
  reads: ({ scores, statistics }) => [scores, statistics?.mean, statistics?.variance],
  writes: ({ ids, weights, sums }) => (sums ? [ids, weights, sums] : [ids, weights]),
  lower: lowerRoute,
});

function lowerRoute(context: LowerContext, io: ProductRouteIo) {
  const { grid, heads = 1, topK, split = 'token' } = io;
  invariant(split === 'token' || heads === 1, () => 'scores of a prompt are split for one head only');
  const k = Math.min(grid, topK);
  const halves = context.scratch('halves', { type: 'u32', perToken: halvesWords(2 * heads, k) });
  return [rankHalves(context, io, halves, k), addHalves(context, io, halves, k)];
}

/** The best k scores of each half, in order. */
function rankHalves(context: LowerContext, io: ProductRouteIo, halves: Tensor, k: number) {
  const { scores, statistics, grid, heads = 1, topK, split = 'token', logSoftmax = true } = io;
  const unused: Ref = scores; // without statistics these bindings are not read
  const variants = productHalves.variants.filter((variant) => fitsHalves(variant, grid));
  return context.choose(productHalves, variants, `${grid}x${grid} top ${topK}`, (variant) =>
    dispatch(productHalves, variant, {
      buffers: {
        scores,
        mean: statistics?.mean ?? unused,
        variance: statistics?.variance ?? unused,
        halves,
      },
      params: ({ tokens }) => ({
        rows: 2 * heads * tokens,
        n: grid,
        k,
        norm: statistics ? 1 : 0,
        eps: statistics?.eps ?? 0,
        log_softmax: Number(logSoftmax),
        apart: split === 'prompt' ? tokens : 0,
      }),
      size: ({ tokens }) => ({ rows: 2 * heads * tokens }),
    }),
  );
}

/** The best topK sums of both halves, with their weights. */
function addHalves(context: LowerContext, io: ProductRouteIo, halves: Tensor, k: number) {
  const { ids, weights, grid, heads = 1, topK, renormalise } = io;
  const sums = io.sums ?? context.scratch('sums', { type: 'f32', perToken: heads * topK });
  const weigh = productWeigh(renormalise);
  const variants = productRouteVariants(weigh).filter((variant) => fitsRoute(variant, topK));
  return context.choose(productRoute, variants, `${weigh} ${grid}x${grid} top ${topK}`, (variant) =>
    dispatch(productRoute, variant, {
      buffers: { halves, ids, scores: sums, weights },
      params: ({ tokens }) => ({ rows: heads * tokens, n: grid, k, top_k: topK, eps: 0, scale: 1 }),
      size: ({ tokens }) => ({ rows: heads * tokens }),
    }),
  );
}
