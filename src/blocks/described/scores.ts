/** Builds the nodes of what a router reads, of its state and of its scores (sections 2, 3 and 7 of the format). */
import type { Tensor } from '../../graph/tensor.ts';
import { CELL_ACTIVATIONS } from '../../kernels/routing/cells/activation.ts';
import { activationReference } from '../../kernels/routing/cells/activation.reference.ts';
import type { InputDescription, RouterDescription, ScoreDescription } from '../../models/layer/router.ts';
import type { TensorReference } from '../../models/layer/tensor-reference.ts';
import type { LayerNodes } from './nodes.ts';
import { concatenated, type HostTensor, type LayerTensors, type ReferenceScope } from './tensors.ts';
import { refuse } from './routing-site.ts';

/** Where scores are built. */
export interface ScoreSite {
  readonly nodes: LayerNodes;
  readonly tensors: LayerTensors;
  readonly scope: ReferenceScope;
  readonly experts: number;
  readonly x: Tensor; // f32 [tokens, hidden]
  /** f32 [tokens, heads * headSize], heads of a pattern of heads that may be chosen. */
  readonly heads?: { readonly queries: Tensor; readonly size: number; readonly first: number } | undefined;
}

/** Scores, and what they were made of. */
export interface Scores {
  readonly scores: Tensor; // f32 [tokens, experts + nullExperts]
  readonly groupScores?: Tensor; // f32 [tokens, groups]
  readonly state?: Tensor; // f32 [tokens, size]: the next state of the router
  readonly u: Tensor; // what the router reads
}

/** Adds input, scope, state and score of a router. `state` f32 [tokens, size]: that of the layer before, if there is one. */
export function addScores(site: ScoreSite, router: RouterDescription, state?: Tensor): Scores {
  const { pooled, next } = addInput(site, router, state);
  const u = next ?? pooled;
  const { scores, groupScores } = addScore(site, router.score, u, router);
  return { scores, u: pooled, ...(groupScores ? { groupScores } : {}), ...(next ? { state: next } : {}) };
}

/** What the score reads: the input, pooled, or the state that follows from it. */
function addInput(
  site: ScoreSite,
  router: RouterDescription,
  state: Tensor | undefined,
): { readonly pooled: Tensor; readonly next?: Tensor | undefined } {
  const pooled = site.nodes.pooled(readInput(site, router.input), router.scope);
  return { pooled, next: router.state && addState(site, router.state, pooled, state) };
}

function readInput({ nodes, tensors, x }: ScoreSite, { parts, normalise }: InputDescription): Tensor {
  const u = nodes.concat(
    parts.map((part) => {
      if (part.from === 'hidden') return part.earlier === undefined ? x : nodes.earlier(x, part.earlier);
      if (part.from === 'caller')
        return nodes.given(part.name, { type: 'f32', perToken: nodes.widthOf(part.name, part.width) });
      return nodes.ofToken(tensors.get(part.tensor));
    }),
  );
  const { perToken: cols } = u;
  if (normalise === 'unit') return nodes.cell('unit', [u], { cols, f: [1e-12] });
  if (normalise === 'none') return u;
  const ones = nodes.weight('ones', new Float32Array(cols).fill(1));
  return nodes.cell('norm', [u, ones, ones], { cols, n: [0, 0, cols], f: [1e-6] });
}

function addState(
  { nodes, tensors, scope }: ScoreSite,
  state: NonNullable<RouterDescription['state']>,
  u: Tensor,
  before: Tensor | undefined,
): Tensor {
  const get = (reference: TensorReference) => tensors.get(reference, scope);
  const bias = state.projectBias === undefined ? undefined : get(state.projectBias);
  const v = nodes.dense('router state input', u, get(state.project), bias);
  const h = before ?? nodes.cell('constant', [], { cols: state.size, f: [0] });
  const terms = [
    nodes.dense('router state from input', v, get(state.inputWeights), get(state.inputBias)),
    nodes.dense('router state from state', h, get(state.hiddenWeights), get(state.hiddenBias)),
  ];
  return nodes.cell('gru', [...terms, h], { cols: state.size });
}

type Score = Pick<Scores, 'scores' | 'groupScores'>;

/** Null experts belong to the outermost score. */
type NullExperts = Pick<RouterDescription, 'nullExperts' | 'nullWeight'>;

/** What the functions of scores share. */
interface ScoreTools {
  readonly site: ScoreSite;
  readonly nodes: LayerNodes;
  readonly experts: number;
  readonly u: Tensor;
  readonly router: NullExperts | undefined;
  readonly get: (reference: TensorReference) => HostTensor;
  readonly optional: (reference: TensorReference | undefined) => HostTensor | undefined;
  readonly dense: (name: string, matrix: HostTensor, bias?: HostTensor, x?: Tensor) => Tensor;
}

/** Adds a score of what the router reads. */
function addScore(site: ScoreSite, score: ScoreDescription, u: Tensor, router?: NullExperts): Score {
  const { nodes, tensors, scope, experts } = site;
  const get = (reference: TensorReference) => tensors.get(reference, { ...scope, experts });
  const tools: ScoreTools = {
    ...{ site, nodes, experts, u, router, get },
    optional: (reference) => (reference === undefined ? undefined : get(reference)),
    dense: (name, matrix, bias, x = u) => nodes.dense(`router ${name}`, x, matrix, bias),
  };
  const add = SCORES[score.kind] as (tools: ScoreTools, own: ScoreDescription) => Score;
  return add(tools, score);
}

type ScoreOf<K extends ScoreDescription['kind']> = Extract<ScoreDescription, { kind: K }>;

/** Each score by its name. */
const SCORES: { readonly [K in ScoreDescription['kind']]: (tools: ScoreTools, score: ScoreOf<K>) => Score } =
  {
    linear: ({ router, get, optional, dense }, score) => {
      const weight = get(score.weight);
      const bias = optional(score.bias);
      if (!router?.nullExperts || router.nullWeight === undefined)
        return { scores: dense('linear', weight, bias) };
      const zeros = { shape: [router.nullExperts], values: new Float32Array(router.nullExperts) };
      const all = concatenated([weight, get(router.nullWeight)]);
      return { scores: dense('linear', all, bias && concatenated([bias, zeros])) };
    },
    perceptron: ({ site, u }, score) => {
      return { scores: addPerceptron(site, score.layers, u) };
    },
    cosine: ({ nodes, u, get, dense }, score) => {
      const projected = score.projection === undefined ? u : dense('projection', get(score.projection));
      const cols = projected.perToken;
      const v = nodes.cell('unit', [projected], { cols, f: [score.epsilon] });
      const temperature =
        typeof score.temperature === 'number' ? score.temperature : (get(score.temperature).values[0] ?? 1);
      return {
        scores: dense('keys', unitRows(get(score.keys), score.epsilon, 1 / temperature), undefined, v),
      };
    },
    attention: ({ nodes, experts, get, dense }, score) => {
      const all = dense(
        'query, key, value',
        concatenated([get(score.query), get(score.key), get(score.value)]),
      );
      return { scores: nodes.cell('attention-score', [all], { cols: experts }) };
    },
    hypernetwork: ({ site, dense }, score) => {
      return { scores: dense('linear', ...hypernetwork(site, score)) };
    },
    mixture: ({ nodes, experts, get, dense }, score) => {
      const main = get(score.main);
      const [routers = 1] = main.shape;
      const shares = nodes.cell('softmax', [dense('main', main)], { cols: routers, n: [routers] });
      const own = dense('sub-routers', flat(get(score.routers)));
      const each =
        score.normaliseRouters === 'softmax'
          ? nodes.cell('softmax', [own], { cols: own.perToken, n: [experts] })
          : own;
      return {
        scores: nodes.cell('mixture', [shares, each], { cols: experts, n: [routers, score.top ?? routers] }),
      };
    },
    multiQuery: ({ nodes, experts, get, dense }, score) => {
      const folded = foldQueries(get(score.queries), get(score.keys), score);
      const all = dense('queries', folded);
      if (score.combine !== 'max') return { scores: all };
      return { scores: nodes.cell('largest-of', [all], { cols: experts, n: [all.perToken / experts] }) };
    },
    analytic: ({ nodes, experts, get, dense }, score) => {
      const both = dense('classifier, gate', concatenated([get(score.classifier), get(score.gate)]));
      return { scores: nodes.cell('analytic', [both], { cols: experts }) };
    },
    gaussianMixture: ({ nodes, experts, get, optional, dense }, score) => {
      const v = dense('projection', get(score.projection), optional(score.projectionBias));
      const [priors, means, variances] = [get(score.logPriors), get(score.means), get(score.logVariances)];
      const weights = [priors, means, variances].map(({ values }) => nodes.weight('mixture', values));
      const [mixtures = 1, dims = 1] = means.shape.slice(1);
      return {
        scores: nodes.cell('gaussian-mixture', [v, ...weights], { cols: experts, n: [mixtures, dims] }),
      };
    },
    codebook: ({ nodes, experts, u, get }, score) => {
      const codes = get(score.codes);
      const weight = nodes.weight('codes', codes.values);
      return { scores: nodes.cell('nearest-code', [u, weight], { cols: experts, n: [...codes.shape] }) };
    },
    selfActivation: ({ nodes, experts, get, dense }, score) => {
      const down = get(score.down);
      const all = dense('down', flat(down));
      return {
        scores: nodes.cell('length', [all], { cols: experts, n: [down.shape[1] ?? 1, 0, all.perToken] }),
      };
    },
    sparsity: ({ nodes, experts, u, get, dense }, score) => {
      const [mean, variance] = momentsOf(get(score.weight));
      const squares = nodes.cell('square', [u], { cols: u.perToken });
      const both = [dense('mean', mean), dense('variance', variance, undefined, squares)];
      const sign = score.prefer === 'sparse' ? -1 : 1;
      return { scores: nodes.cell('sparsity', both, { cols: experts, f: [sign] }) };
    },
    product: ({ nodes, experts, get, dense }, score) => {
      const rows = normFolded(get(score.rows), score.rowsNorm, get);
      const columns = normFolded(get(score.columns), score.columnsNorm, get);
      const both = dense(
        'rows, columns',
        concatenated([rows.matrix, columns.matrix]),
        concatenated([rows.bias, columns.bias]),
      );
      const side = rows.matrix.shape[0] ?? 1;
      return { scores: nodes.cell('outer-sum', [both], { cols: experts, n: [side, 1] }) };
    },
    twoLevel: ({ nodes, experts, get, dense }, score) => {
      const group = get(score.group);
      const [groups = 1] = group.shape;
      const shares = nodes.cell('softmax', [dense('groups', group)], { cols: groups, n: [groups] });
      const members = dense('members', get(score.member));
      return {
        groupScores: shares,
        scores: nodes.cell('two-level', [shares, members], { cols: experts, n: [groups] }),
      };
    },
    caller: ({ nodes, experts }, score) => {
      return { scores: nodes.given(score.name, { type: 'f32', perToken: experts }) };
    },
    random: ({ nodes, experts }, score) => {
      return { scores: nodes.cell('random', [], { cols: experts, n: [score.seed, score.layer] }) };
    },
    zero: ({ nodes, experts }) => {
      return { scores: nodes.cell('constant', [], { cols: experts, f: [0] }) };
    },
    headNorm: ({ site, nodes, experts }) => {
      const { heads } = site;
      if (!heads) return refuse('score', 'headNorm without heads');
      const { queries, size, first } = heads;
      return {
        scores: nodes.cell('length', [queries], { cols: experts, n: [size, first, queries.perToken] }),
      };
    },
    sum: ({ site, u }, score) => {
      return { scores: addSum(site, score.terms, u) };
    },
    condition: ({ site, nodes, experts, u }, score) => {
      const others = addScore(site, score.otherwise, u).scores;
      const listed = Float32Array.from({ length: experts }, (_, e) => Number(score.experts.includes(e)));
      const label = nodes.given(score.name, { type: 'f32', perToken: 1 });
      const use = { cols: experts, n: [score.equals], f: [score.value] };
      return { scores: nodes.cell('condition', [others, label, nodes.weight('listed', listed)], use) };
    },
    productKeys: () => {
      return refuse('score', 'productKeys within another score');
    },
  };

/** The scores of each head of product keys: experts = n * n. */
export function addKeyScores(
  site: ScoreSite,
  router: RouterDescription,
  score: Extract<ScoreDescription, { kind: 'productKeys' }>,
  state?: Tensor,
): { readonly heads: readonly Tensor[]; readonly state?: Tensor | undefined } {
  const { nodes, tensors, scope, experts } = site;
  const { pooled, next } = addInput(site, router, state);
  const get = (reference: TensorReference) => tensors.get(reference, scope);
  const query = normFolded(get(score.query), score.queryNorm, get);
  const q = nodes.dense('router query', next ?? pooled, query.matrix, query.bias);
  const [side = 1, size = 1] = get(score.keysX).shape;
  if (side * side !== experts) refuse('score', `productKeys with ${side} keys for ${experts} experts`);
  const heads = Array.from({ length: score.heads }, (_, head) => {
    const halves = [score.keysX, score.keysY].map((keys, half) =>
      nodes.dense('router keys', nodes.slice(q, (2 * head + half) * size, size), get(keys)),
    );
    return nodes.cell('outer-sum', [nodes.concat(halves)], { cols: experts, n: [side, 0] });
  });
  return { heads, state: next };
}

/** v = activation(weight v + bias), layer by layer. */
export function addPerceptron(
  { nodes, tensors, scope }: Pick<ScoreSite, 'nodes' | 'tensors' | 'scope'>,
  layers: Extract<ScoreDescription, { kind: 'perceptron' }>['layers'],
  x: Tensor,
): Tensor {
  return layers.reduce((v, { weight, bias, activation }) => {
    const added = bias === undefined ? undefined : tensors.get(bias, scope);
    return nodes.activate(nodes.dense('layer', v, tensors.get(weight, scope), added), activation);
  }, x);
}

function addSum(
  site: ScoreSite,
  terms: Extract<ScoreDescription, { kind: 'sum' }>['terms'],
  u: Tensor,
): Tensor {
  const parts = terms.map(({ scale, score, input }) => ({
    scale,
    scores: addScore(site, score, input ? readInput(site, input) : u).scores,
  }));
  const [first, ...others] = parts;
  if (!first) return refuse('score', 'a sum of nothing');
  const start = site.nodes.activate(first.scores, 'none', first.scale);
  return others.reduce(
    (sum, { scale, scores }) => site.nodes.cell('sum', [sum, scores], { cols: sum.perToken, f: [1, scale] }),
    start,
  );
}

/** [a, b, c] as the rows [a * b, c]. */
function flat({ shape, values }: HostTensor): HostTensor {
  const cols = shape.at(-1) ?? 1;
  return { shape: [values.length / cols, cols], values };
}

/** Each row divided by its length, times a factor. */
function unitRows({ shape, values }: HostTensor, epsilon: number, factor: number): HostTensor {
  const cols = shape.at(-1) ?? 1;
  const scaled = new Float32Array(values.length);
  for (let row = 0; row < values.length / cols; row += 1) {
    const own = values.subarray(row * cols, (row + 1) * cols);
    const length = Math.sqrt(own.reduce((sum, value) => sum + value * value, 0));
    own.forEach((value, c) => (scaled[row * cols + c] = (factor * value) / Math.max(length, epsilon)));
  }
  return { shape, values: scaled };
}

/** The scores of all pairs of queries and keys as one matrix: <Q u, k> = (Q^T k) u. Mean and sum of queries are folded, too. */
function foldQueries(
  queries: HostTensor,
  keys: HostTensor,
  { combine, scale }: { readonly combine: 'mean' | 'sum' | 'max'; readonly scale?: number },
): HostTensor {
  const [count = 1, size = 1, width = 1] = queries.shape;
  const [experts = 1] = keys.shape;
  const factor = scale ?? size ** -0.5;
  const isKept = combine === 'max';
  const rows = isKept ? count * experts : experts;
  const values = new Float64Array(rows * width);
  for (let q = 0; q < count; q += 1) {
    for (let e = 0; e < experts; e += 1) {
      const row = isKept ? q * experts + e : e;
      for (let d = 0; d < size; d += 1) {
        const key = (factor * (keys.values[e * size + d] ?? 0)) / (combine === 'mean' ? count : 1);
        for (let c = 0; c < width; c += 1) {
          const product = key * (queries.values[(q * size + d) * width + c] ?? 0);
          values[row * width + c] = (values[row * width + c] ?? 0) + product;
        }
      }
    }
  }
  return { shape: [rows, width], values: Float32Array.from(values) };
}

/** Mean and population variance of the columns of each expert's matrix [rows, cols]. */
function momentsOf({ shape, values }: HostTensor): [HostTensor, HostTensor] {
  const [experts = 1, rows = 1, cols = 1] = shape;
  const mean = new Float32Array(experts * cols);
  const variance = new Float32Array(experts * cols);
  for (let e = 0; e < experts; e += 1) {
    for (let c = 0; c < cols; c += 1) {
      const column = Array.from({ length: rows }, (_, r) => values[(e * rows + r) * cols + c] ?? 0);
      const own = column.reduce((sum, value) => sum + value, 0) / rows;
      mean[e * cols + c] = own;
      variance[e * cols + c] = column.reduce((sum, value) => sum + (value - own) ** 2, 0) / rows;
    }
  }
  const shaped = (each: Float32Array<ArrayBuffer>) => ({ shape: [experts, cols], values: each });
  return [shaped(mean), shaped(variance)];
}

/** A matrix with the statistics of the norm of its products folded in, and the bias that is left. */
function normFolded(
  matrix: HostTensor,
  norm:
    | { readonly mean: TensorReference; readonly variance: TensorReference; readonly epsilon: number }
    | undefined,
  get: (reference: TensorReference) => HostTensor,
): { readonly matrix: HostTensor; readonly bias: HostTensor } {
  const [rows = 1, cols = 1] = matrix.shape;
  const factors = new Float64Array(rows).fill(1);
  const bias = new Float32Array(rows);
  if (norm) {
    const [mean, variance] = [get(norm.mean).values, get(norm.variance).values];
    for (let row = 0; row < rows; row += 1) {
      const factor = 1 / Math.sqrt((variance[row] ?? 0) + norm.epsilon);
      factors[row] = factor;
      bias[row] = -(mean[row] ?? 0) * factor;
    }
  }
  const values = matrix.values.map((value, at) => value * (factors[Math.floor(at / cols)] ?? 1));
  return { matrix: { shape: matrix.shape, values }, bias: { shape: [rows], values: bias } };
}

/** The network of a hypernetwork, run once: rows of weights, each with its bias behind it. */
function hypernetwork(
  { tensors, experts }: ScoreSite,
  { embedding, layers }: Extract<ScoreDescription, { kind: 'hypernetwork' }>,
): [HostTensor, HostTensor] {
  const last = layers.reduce(
    (v, { weight, bias, activation }) => {
      const matrix = tensors.get(weight);
      const [rows = 1, cols = 1] = matrix.shape;
      const added = bias === undefined ? undefined : tensors.get(bias).values;
      return Float64Array.from({ length: rows }, (_, row) => {
        let sum = added?.[row] ?? 0;
        for (let c = 0; c < cols; c += 1) sum += (matrix.values[row * cols + c] ?? 0) * (v[c] ?? 0);
        return activationReference(CELL_ACTIVATIONS[activation], sum);
      });
    },
    Float64Array.from(tensors.get(embedding).values),
  );
  const width = last.length / experts;
  const part = (first: number, cols: number): HostTensor => ({
    shape: [experts, cols],
    values: Float32Array.from(
      { length: experts * cols },
      (_, at) => last[Math.floor(at / cols) * width + first + (at % cols)] ?? 0,
    ),
  });
  return [part(0, width - 1), part(width - 1, 1)];
}
