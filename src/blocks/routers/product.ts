import { linearNode } from '../../graph/ops/linear.ts';
import { productRouteNode } from '../../graph/ops/product-route.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { AtomicSpec } from '../../models/spec.ts';
import type { Routes, Site } from '../site.ts';

/** Scores of a grid's rows and columns, whose best sums name the experts: x [tokens, hidden]. */
export function routeProduct(site: Site, x: Tensor, atomic: AtomicSpec, name: string): Routes {
  const { builder, label, hidden } = site;
  const { grid, topK, router } = atomic;
  const scores = builder.tensor(`${label} router scores`, { type: 'f32', perToken: 2 * grid });
  const { rows, cols, norm, renormalise } = router;
  const weight = builder.exact(`${rows} + ${cols}`, 2 * grid, hidden, rows, cols);
  builder.add(linearNode(`${label} router`, { x, weight, y: scores }));
  const statistics = norm && {
    eps: norm.eps,
    mean: builder.exact(norm.mean.join(' + '), 2 * grid, 1, ...norm.mean),
    variance: builder.exact(norm.variance.join(' + '), 2 * grid, 1, ...norm.variance),
  };
  const routes = site.routes(name, topK);
  builder.add(productRouteNode(label, { scores, ...routes, statistics, grid, topK, renormalise }));
  return routes;
}
