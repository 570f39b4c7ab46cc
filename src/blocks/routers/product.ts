import { invariant } from '../../errors.ts';
import { linearNode } from '../../graph/ops/linear.ts';
import { productRouteNode } from '../../graph/ops/product-route.ts';
import type { ProductScoreSpec, RouterSpec } from '../../models/spec.ts';
import type { Router } from '../block.ts';
import type { Site } from '../site.ts';
import { checkProduct } from './check-product.ts';

/** Scores of a grid's rows and columns; the best sums select experts n * row + column (OmniMoE, arXiv:2602.05711). */
export const product: Router<RouterSpec<ProductScoreSpec>> = {
  kind: 'product',
  most: ({ select }) => select.k,
  check: (spec, label, experts) =>
    checkProduct(spec, label, experts, [
      { from: 'exp', normalise: 'none' },
      { from: 'exp', normalise: 'sum' },
    ]),
  grid: (experts) => Math.sqrt(experts),
  add(site, x, { score, select, weigh = {} }) {
    const { builder, label, hidden, experts } = site;
    const grid = Math.sqrt(experts);
    const { rows, columns } = score;
    const scores = builder.tensor(`${label} router scores`, { type: 'f32', perToken: 2 * grid });
    const name = [rows, columns].map((part) => (typeof part === 'string' ? part : part.tensor)).join(' + ');
    const weight = builder.exact(name, 2 * grid, hidden, rows, columns);
    builder.add(linearNode(`${label} router`, { x, weight, y: scores }));
    const statistics = statisticsOf(site, score, grid);
    const routes = site.scoredRoutes(select.k);
    const { ids, weights, scores: sums } = routes;
    const renormalise = weigh.normalise === 'sum';
    const io = { scores, ids, weights, statistics, grid, topK: select.k, renormalise, split: score.split };
    builder.add(productRouteNode(label, { ...io, ...(sums ? { sums } : {}) }));
    return routes;
  },
};

/** The statistics of both norms, [2 * grid] each, if the score has norms. */
function statisticsOf({ builder }: Site, { rowsNorm, columnsNorm }: ProductScoreSpec, grid: number) {
  if (!rowsNorm || !columnsNorm) return undefined;
  const eps = rowsNorm.epsilon;
  invariant(columnsNorm.epsilon === eps, () => 'both norms of a product router have one epsilon');
  const both = (...names: readonly string[]) => builder.exact(names.join(' + '), 2 * grid, 1, ...names);
  return {
    eps,
    mean: both(rowsNorm.mean, columnsNorm.mean),
    variance: both(rowsNorm.variance, columnsNorm.variance),
  };
}
