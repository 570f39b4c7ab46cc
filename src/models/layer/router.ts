/** The grammar of a router: what it reads, how it scores, transforms, selects and weighs (sections 2 to 7 of the format). */
import {
  boolean,
  choice,
  either,
  integer,
  kinds,
  later,
  list,
  number,
  optional,
  record,
  tagged,
  text,
  type Field,
  type Read,
  type ReadTagged,
} from './fields.ts';
import { numberOrTensor, tensor, type TensorReference } from './tensor-reference.ts';

/** Activations of experts and of the layers of small networks. */
export const activation = choice(
  ...(['none', 'silu', 'gelu', 'geluTanh', 'relu', 'reluSquared', 'sigmoid', 'tanh'] as const),
);

/** The layers of a small network: v = activation(weight v + bias) in turn. */
export const perceptron = list(
  record({ weight: tensor, bias: optional(tensor), activation: optional(activation, 'none') }),
  1,
);

const part = tagged('from', {
  hidden: { earlier: optional(integer(1)) },
  tokenTable: { tensor },
  caller: { name: text, width: optional(integer(1)) },
});

const input = record({
  parts: optional(list(part, 1), [{ from: 'hidden' }]),
  normalise: optional(choice('none', 'unit', 'rms'), 'none'),
});

/** What a router reads. */
export type InputDescription = Read<typeof input>;

const statistics = optional(
  record({ mean: tensor, variance: tensor, epsilon: optional(number({ above: 0 }), 1e-5) }),
);

const plainScores = {
  linear: { weight: tensor, bias: optional(tensor) },
  perceptron: { layers: perceptron },
  cosine: {
    projection: optional(tensor),
    keys: tensor,
    temperature: optional(numberOrTensor, 1),
    epsilon: optional(number({ above: 0 }), 1e-12),
  },
  attention: { query: tensor, key: tensor, value: tensor },
  hypernetwork: { embedding: tensor, layers: perceptron },
  mixture: {
    main: tensor,
    routers: tensor,
    normaliseRouters: optional(choice('none', 'softmax'), 'none'),
    top: optional(integer(1)),
  },
  multiQuery: {
    queries: tensor,
    keys: tensor,
    combine: optional(choice('mean', 'sum', 'max'), 'mean'),
    scale: optional(number()),
  },
  analytic: { classifier: tensor, gate: tensor },
  gaussianMixture: {
    projection: tensor,
    projectionBias: optional(tensor),
    logPriors: tensor,
    means: tensor,
    logVariances: tensor,
  },
  codebook: { codes: tensor },
  selfActivation: { down: tensor },
  sparsity: { weight: tensor, prefer: optional(choice('sparse', 'active'), 'sparse') },
  product: { rows: tensor, columns: tensor, rowsNorm: statistics, columnsNorm: statistics },
  productKeys: { heads: integer(1), query: tensor, queryNorm: statistics, keysX: tensor, keysY: tensor },
  twoLevel: { group: tensor, member: tensor },
  caller: { name: text },
  random: { seed: integer(), layer: optional(integer(), 0) },
  zero: {},
  headNorm: {},
} as const;

/** The scores of all experts, s of the format. */
export type ScoreDescription = ReadTagged<typeof plainScores, 'kind'> | SumScore | ConditionalScore;

/** A weighted sum of scores, each of which may read something else than the router. */
export interface SumScore {
  readonly kind: 'sum';
  readonly terms: readonly {
    readonly scale: number;
    readonly score: ScoreDescription;
    readonly input?: InputDescription;
  }[];
}

/** For some tokens a value for some experts and none for the others; for the other tokens the reverse, by another score. */
export interface ConditionalScore {
  readonly kind: 'condition';
  readonly name: string;
  readonly equals: number;
  readonly experts: readonly number[];
  readonly value: number;
  readonly otherwise: ScoreDescription;
}

const anyScore: Field<ScoreDescription> = later(() => score);

/** Reads a score. */
export const score = kinds({
  ...plainScores,
  sum: { terms: list(record({ scale: optional(number(), 1), score: anyScore, input: optional(input) }), 1) },
  condition: {
    name: text,
    equals: integer(),
    experts: list(integer(), 1),
    value: optional(number(), 0),
    otherwise: anyScore,
  },
}) as Field<ScoreDescription>;

const step = kinds({
  softmax: { within: optional(integer(1)) },
  logSoftmax: {},
  sigmoid: {},
  relu: {},
  tanh: {},
  abs: {},
  exp: {},
  sqrtSoftplus: {},
  scale: { by: numberOrTensor },
  add: { tensor },
  mask: { tensor, by: optional(choice('tokenIds')) },
  standardise: { deviation: optional(choice('sample', 'population'), 'sample') },
  sinkhorn: { iterations: optional(integer(1), 20), temperature: number({ above: 0 }) },
  mixTokens: { name: text },
});

/** A step from scores to affinities. */
export type StepDescription = Read<typeof step>;

const share = number({ least: 0, most: 1 });

const filter = kinds({
  belowThreshold: { scale: optional(number(), 1), thresholds: list(number(), 1), by: optional(text) },
  belowRatio: { ratio: number(), protect: optional(record({ name: text, top: share, bottom: share })) },
  mask: { layers: perceptron, atLeast: optional(integer(), 0) },
});

/** A filter of the chosen experts. */
export type DropDescription = Read<typeof filter>;

const countOfToken = record({
  from: choice('importance', 'attentionReceived'),
  name: text,
  least: integer(1),
  most: integer(1),
});

const groups = record({
  count: integer(1),
  keep: integer(1),
  by: optional(choice('max', 'sumOfTopTwo', 'score'), 'max'),
});

const select = kinds(
  {
    topK: {
      k: optional(
        either<number | Read<typeof countOfToken>>((value) =>
          typeof value === 'object' ? countOfToken : integer(1),
        ),
        2,
      ),
    },
    topP: {
      p: optional(number({ above: 0, most: 1 }), 0.4),
      rule: optional(choice('crossing', 'within'), 'crossing'),
      atLeast: optional(integer(), 1),
      atMost: optional(integer(1)),
      keepAllAbove: optional(
        record({
          entropy: choice('tsallis', 'renyi'),
          index: number({ above: 0 }),
          threshold: number(),
          relative: optional(boolean, false),
        }),
      ),
    },
    positive: {},
    all: {},
    topOfEach: { groups: integer(1) },
    ranks: { ranks: list(integer(), 1) },
    ids: { name: optional(text), tensor: optional(tensor), by: optional(choice('tokenIds')) },
    expertChoice: {
      factor: optional(number({ above: 0 })),
      tokensPerExpert: optional(integer(1)),
      round: optional(choice('ceil', 'floor'), 'ceil'),
      least: optional(integer(1), 1),
      forceFirst: optional(boolean, false),
      among: optional(integer(1)),
      over: optional(choice('sequence', 'batch'), 'sequence'),
    },
  },
  {
    by: optional(choice('affinity', 'logits'), 'affinity'),
    bias: optional(tensor),
    groups: optional(groups),
    drop: optional(list(filter), []),
  },
);

/** How experts are chosen. */
export type SelectDescription = Read<typeof select>;

const namedWeight: Field<WeightSource> = choice('affinity', 'logits', 'exp', 'one');

const weightOf: Field<WeightSource> = kinds({
  linear: { weight: tensor, activation: optional(activation, 'sigmoid') },
  caller: { name: text },
});

const codeUse: Field<WeightUse> = kinds({ code: { codes: tensor, rate: number() } });

const weigh = record({
  from: optional(
    either<WeightSource>((value) => (typeof value === 'object' ? weightOf : namedWeight)),
    'affinity',
  ),
  normalise: optional(choice('none', 'sum', 'softmax'), 'none'),
  over: optional(choice('kept', 'chosen'), 'kept'),
  across: optional(choice('experts', 'tokens'), 'experts'),
  epsilon: optional(number({ least: 0 }), 0),
  times: optional(choice('largestAffinity')),
  expertScale: optional(tensor),
  scale: optional(number(), 1),
  add: optional(number(), 0),
  apply: optional(
    either<WeightUse>((value) => (typeof value === 'object' ? codeUse : choice('output', 'input'))),
    'output',
  ),
  combine: optional(choice('add', 'interpolate'), 'add'),
});

/** The raw weight of an expert. */
export type WeightSource =
  | 'affinity'
  | 'logits'
  | 'exp'
  | 'one'
  | {
      readonly kind: 'linear';
      readonly weight: TensorReference;
      readonly activation: Read<typeof activation>;
    }
  | { readonly kind: 'caller'; readonly name: string };

/** Whether a weight is a factor of an expert's output or input, or of the output for a changed input. */
export type WeightUse =
  'output' | 'input' | { readonly kind: 'code'; readonly codes: TensorReference; readonly rate: number };

/** How the chosen experts are weighted. */
export type WeighDescription = Read<typeof weigh>;

/** Weights that are the affinities. */
export const PLAIN_WEIGH: WeighDescription = weigh.read({}, 'weigh');

const scope = record({
  unit: optional(choice('token', 'segment', 'sequence'), 'token'),
  pool: optional(choice('mean', 'first', 'last', 'concatenate'), 'mean'),
  segmentLength: optional(integer(1)),
  expertUnit: optional(choice('token', 'segment'), 'token'),
  parameters: optional(choice('layer', 'model'), 'layer'),
  decision: optional(choice('layer', 'model', 'prompt'), 'layer'),
  sees: optional(choice('token', 'prefix', 'prompt', 'sequence', 'batch')),
});

/** Who decides, how often, and from what. */
export type ScopeDescription = Read<typeof scope>;

const state = kinds({
  gru: {
    name: text,
    size: integer(1),
    project: tensor,
    projectBias: optional(tensor),
    inputWeights: tensor,
    hiddenWeights: tensor,
    inputBias: tensor,
    hiddenBias: tensor,
  },
});

const capacity = record({
  factor: optional(number({ above: 0 })),
  tokensPerExpert: optional(integer(1)),
  over: optional(choice('sequence', 'batch'), 'sequence'),
  order: optional(choice('token', 'rank'), 'token'),
  overflow: optional(choice('drop', 'reroute'), 'drop'),
  fill: optional(boolean, false),
});

/** Reads a router. */
export const router = record({
  input: optional(input, { parts: [{ from: 'hidden' }], normalise: 'none' }),
  score,
  nullExperts: optional(integer(), 0),
  nullWeight: optional(tensor),
  transform: optional(list(step), []),
  select,
  weigh: optional(weigh, PLAIN_WEIGH),
  scope: optional(scope, scope.read({}, 'scope')),
  state: optional(state),
  capacity: optional(capacity),
});

/** A router as data: input, score, transform, selection, weighting, scope and state. */
export type RouterDescription = Read<typeof router>;
