import { stageOf, type WeighName } from './stages/index.ts';
import type { StageParams } from './stages/stage.ts';

const PLAIN: StageParams = { eps: 0, scale: 1, groups: 1, keep: 1 };

/** Sizes of a product-key router (Lample et al. 2019), and its weighting. */
export interface ProductRouteOptions {
  readonly tokens: number;
  readonly heads: number;
  readonly n: number;
  readonly topK: number;
  readonly logSoftmax: number; // 1: score = log_softmax(row) + log_softmax(column); 0: plain sums
  readonly weigh: WeighName; // weighting of the topK scores
  /** Running statistics [2, n] of a batch norm without gain on the logits. */
  readonly norm?: { readonly mean: Float32Array; readonly variance: Float32Array; readonly eps: number };
  /** 'prompt': half h of token t is row h * tokens + t of the scores, for one head. Default: 2 * t + h. */
  readonly split?: 'token' | 'prompt';
  /** Compare all n * n sums instead of the possible candidates only. */
  readonly bruteForce?: boolean;
}

/** The chosen experts of each token and head. */
export interface ProductRoute {
  readonly ids: Uint32Array; // [tokens, heads, topK], by descending score; equal scores by ascending id
  readonly scores: Float32Array;
  readonly weights: Float32Array;
}

/**
 * score(i, j) = row[i] + col[j] over a grid of n * n experts, id = i * n + j; the best topK of each head of each token.
 *
 * logits [tokens, heads, 2, n]: row half, then column half
 */
export function productRouteReference(logits: Float32Array, options: ProductRouteOptions): ProductRoute {
  const { tokens, heads, topK } = options;
  const weigh = stageOf('weigh', options.weigh);
  const count = tokens * heads * topK;
  const route = {
    ids: new Uint32Array(count),
    scores: new Float32Array(count),
    weights: new Float32Array(count),
  };
  for (let row = 0; row < tokens * heads; row += 1) {
    const x = halfOf(logits, 2 * row, options);
    const y = halfOf(logits, 2 * row + 1, options);
    const best = bestSums(x, y, options);
    const logs = x.log + y.log;
    const weights = Float64Array.from(best, ({ sum }) => sum - logs);
    weigh.reference(weights, PLAIN);
    route.weights.set(weights, row * topK);
    for (const [rank, { sum, id }] of best.entries()) {
      const at = row * topK + rank;
      route.ids[at] = id;
      route.scores[at] = sum - logs;
    }
  }
  return route;
}

interface Half {
  readonly values: Float64Array; // normalised, minus the maximum with logSoftmax: equal logits give equal sums
  readonly order: Uint32Array; // elements by descending value, on ties by ascending number
  readonly log: number; // log of the sum of exponentials
}

function halfOf(logits: Float32Array, row: number, options: ProductRouteOptions): Half {
  const { n, norm, logSoftmax, tokens, split } = options;
  const source = split === 'prompt' ? (row % 2) * tokens + Math.floor(row / 2) : row;
  const values = new Float64Array(n);
  for (let i = 0; i < n; i += 1) {
    values[i] = logits[source * n + i]!;
    if (norm) {
      const column = (row % 2) * n + i;
      values[i] = (values[i]! - norm.mean[column]!) / Math.sqrt(norm.variance[column]! + norm.eps);
    }
  }
  const order = Uint32Array.from(values.keys()).sort((a, b) => values[b]! - values[a]! || a - b);
  if (logSoftmax === 0) return { values, order, log: 0 };
  const most = values[order[0]!]!;
  let sum = 0;
  for (let i = 0; i < n; i += 1) {
    values[i] = values[i]! - most;
    sum += Math.exp(values[i]!);
  }
  return { values, order, log: Math.log(sum) };
}

function bestSums(
  x: Half,
  y: Half,
  { n, topK, bruteForce = false }: ProductRouteOptions,
): { sum: number; id: number }[] {
  const found: { sum: number; id: number }[] = [];
  for (let a = 0; a < n; a += 1) {
    const most = bruteForce ? n : Math.min(n, Math.floor(topK / (a + 1)));
    for (let b = 0; b < most; b += 1) {
      const i = x.order[a]!;
      const j = y.order[b]!;
      found.push({ sum: x.values[i]! + y.values[j]!, id: i * n + j });
    }
  }
  return found.sort((one, other) => other.sum - one.sum || one.id - other.id).slice(0, topK);
}
