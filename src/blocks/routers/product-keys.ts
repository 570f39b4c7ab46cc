import { linearNode } from '../../graph/ops/linear.ts';
import { productRouteNode } from '../../graph/ops/product-route.ts';
import type { DerivedPart, Tensor, Weight } from '../../graph/tensor.ts';
import type { ProductKeysScoreSpec, RouterSpec } from '../../models/spec.ts';
import type { Router } from '../block.ts';
import type { Site } from '../site.ts';
import { checkProduct } from './check-product.ts';

/** Products of queries with row and column keys; heads choose independently, and weights sum to 1 per head (PEER, He 2024). */
export const productKeys: Router<RouterSpec<ProductKeysScoreSpec>> = {
  kind: 'productKeys',
  most: ({ score, select }) => score.heads * select.k,
  check: (spec, label, experts) =>
    checkProduct(spec, label, experts, [{ from: 'affinity', normalise: 'softmax' }]),
  grid: (experts) => Math.sqrt(experts),
  add(site, x, { score, select }) {
    const { builder, label, experts } = site;
    const grid = Math.sqrt(experts);
    const { heads } = score;
    const query = queries(site, score, x);
    const scores = builder.tensor(`${label} key scores`, { type: 'f32', perToken: 2 * heads * grid });
    builder.add(linearNode(`${label} keys`, { x: query, weight: keysOf(site, score, grid), y: scores }));
    const routes = site.scoredRoutes(heads * select.k);
    const { ids, weights, scores: sums } = routes;
    builder.add(
      productRouteNode(label, {
        ...{ scores, ids, weights, grid, heads },
        ...(sums ? { sums } : {}),
        statistics: undefined,
        topK: select.k,
        renormalise: true,
        logSoftmax: false,
      }),
    );
    return routes;
  },
};

const NONE = new Float32Array();

/**
 * Row keys and column keys in one block-diagonal matrix [2 * grid, 2 * keySize], so that one linear layer computes both halves
 * of a head's scores from the adjacent halves of its query.
 */
function keysOf({ builder }: Site, { keysX, keysY, keySize }: ProductKeysScoreSpec, grid: number): Weight {
  const half = (tensor: string): DerivedPart => ({ tensor, rows: grid, cols: keySize });
  const parts = { x: half(keysX), y: half(keysY) };
  return builder.derived(`${keysX} | ${keysY}`, 2 * grid, 2 * keySize, parts, ({ x = NONE, y = NONE }) => {
    const blocks = new Float32Array(4 * grid * keySize);
    for (const [side, keys] of [x, y].entries()) {
      for (let row = 0; row < grid; row += 1) {
        const at = (side * grid + row) * 2 * keySize + side * keySize;
        blocks.set(keys.subarray(row * keySize, (row + 1) * keySize), at);
      }
    }
    return blocks;
  });
}

/** The query projection with its batch norm folded in: (W x + b - mean) / sqrt(variance + epsilon) * gain + shift. */
function queries(site: Site, score: ProductKeysScoreSpec, x: Tensor): Tensor {
  const { builder, label, hidden } = site;
  const { query, queryBias, queryNorm: norm } = score;
  const width = score.heads * 2 * score.keySize;
  const vector = (tensor: string | undefined) =>
    tensor === undefined ? undefined : { tensor, rows: width, cols: 1 };
  const scaling = { gain: vector(norm?.gain), variance: vector(norm?.variance) };
  const epsilon = norm?.epsilon ?? 0;
  const matrix = { tensor: query, rows: width, cols: hidden };
  const weight = builder.derived(
    `${query} normed`,
    width,
    hidden,
    { matrix, ...scaling },
    ({ matrix: values = NONE, ...parts }) => {
      const scale = scaleOf(width, epsilon, parts);
      return Float32Array.from(values, (value, at) => value * (scale[Math.floor(at / hidden)] ?? 0));
    },
  );
  const shifting = { offset: vector(queryBias), mean: vector(norm?.mean), shift: vector(norm?.shift) };
  const bias = builder.derived(
    `${query} normed bias`,
    width,
    1,
    { ...scaling, ...shifting },
    ({ offset, mean, shift, ...parts }) =>
      Float32Array.from(
        scaleOf(width, epsilon, parts),
        (scale, row) => ((offset?.[row] ?? 0) - (mean?.[row] ?? 0)) * scale + (shift?.[row] ?? 0),
      ),
  );
  const y = builder.tensor(`${label} query`, { perToken: width });
  builder.add(linearNode(`${label} query`, { x, weight, bias, y }));
  return y;
}

/** gain / sqrt(variance + epsilon) per row; 1 without a norm. */
function scaleOf(
  width: number,
  epsilon: number,
  {
    gain,
    variance,
  }: { readonly gain?: Float32Array | undefined; readonly variance?: Float32Array | undefined },
): Float64Array {
  return Float64Array.from({ length: width }, (_, row) => {
    const numerator = gain?.[row] ?? 1;
    return variance ? numerator / Math.sqrt((variance[row] ?? 0) + epsilon) : numerator;
  });
}
