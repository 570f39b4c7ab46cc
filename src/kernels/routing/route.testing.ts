/** The rules that tests compile and run: every pair of stages that go together, in few rules. */
import type { Values } from '../testing.ts';
import { randomStream } from '../testing.ts';
import { ROUTE_FORMS, type RouteForm } from './route-parts.ts';
import type { RouteOutput, RouteRule, RouteSelect, RouteStep, RouteWeigh } from './route-rule.ts';
import type { RouteInputs } from './route-token.reference.ts';
import { routeScoresVariants, routeVariants, type RouteScoresVariant, type RouteVariant } from './route.ts';

/** Sizes at which listed rules are run. */
export const LISTED_SIZES = {
  tokens: 9,
  experts: 16,
  most: 16,
  places: 5,
  nullExperts: 4,
  groups: 4,
} as const;

/** Rows of the vectors of listed rules, by what they are used for. */
const ROWS = {
  factors: 0,
  addends: 1,
  mask: 2,
  steer: 3,
  bias: 4,
  scales: 5,
  ranks: 6,
  thresholds: 7,
} as const;

const row = (name: keyof typeof ROWS) => ({ vector: ROWS[name] });

const softmax = { kind: 'softmax' } as const;

const STEPS: readonly (readonly RouteStep[])[] = [
  [softmax],
  [],
  [{ kind: 'softmax', within: 4 }],
  [{ kind: 'logSoftmax' }],
  [{ kind: 'sigmoid' }],
  [{ kind: 'relu' }],
  [{ kind: 'tanh' }],
  [{ kind: 'abs' }],
  [{ kind: 'exp' }],
  [{ kind: 'sqrtSoftplus' }],
  [{ kind: 'scale', by: 1.5 }, softmax],
  [{ kind: 'scale', by: row('factors') }, { kind: 'sigmoid' }],
  [{ kind: 'add', by: row('addends') }, softmax, { kind: 'scale', by: row('factors') }],
  [{ kind: 'mask', by: row('mask') }, softmax],
  [{ kind: 'mask', by: 'token' }, { kind: 'sigmoid' }],
  [{ kind: 'standardise', deviation: 'sample' }, softmax],
  [{ kind: 'standardise', deviation: 'population' }, { kind: 'relu' }],
  [
    { kind: 'add', by: row('addends') },
    { kind: 'steer', mode: 'soft', by: row('steer'), deviation: 'sample' },
    { kind: 'mask', by: row('mask') },
    softmax,
  ],
  [{ kind: 'steer', mode: 'hard', by: row('steer'), epsilon: 0.25 }, { kind: 'softmax' }],
  [softmax, { kind: 'mask', by: row('mask') }],
];

const byP = { kind: 'topP', p: 0.618, atLeast: 1, atMost: 16 } as const;

const CHOICES: readonly RouteSelect['choice'][] = [
  { kind: 'topK', k: 5 },
  { kind: 'topK', k: 6, least: 2 },
  { ...byP, rule: 'crossing' },
  { ...byP, rule: 'within', atLeast: 2, atMost: 7 },
  { ...byP, rule: 'crossing', keepAllAbove: { entropy: 'tsallis', index: 1.5, threshold: 1.25 } },
  { ...byP, rule: 'within', atMost: 4, keepAllAbove: { entropy: 'renyi', index: 2, threshold: 2.2 } },
  { ...byP, rule: 'crossing', keepAllAbove: { entropy: 'shannon', index: 1, threshold: 2.45 } },
  { kind: 'positive' },
  { kind: 'all' },
  { kind: 'topOfEach', groups: 4 },
  { kind: 'ranks', count: 3, ranks: row('ranks') },
  { kind: 'given', places: 5 },
];

/** The other dimensions, whose values are combined with those above. */
const OTHERS = {
  by: ['affinity', 'logits'],
  bias: [undefined, row('bias')],
  groups: [undefined, 'max', 'sumOfTopTwo', 'score'],
  drop: [
    [],
    [{ kind: 'belowThreshold', scale: 0.75, thresholds: row('thresholds') }],
    [{ kind: 'belowThreshold', scale: 0.75, thresholds: row('thresholds'), by: 'kind' }],
    [{ kind: 'belowRatio', ratio: 0.6 }],
    [{ kind: 'belowRatio', ratio: 0.6, by: 'protection' }],
    [{ kind: 'verdict', atLeast: 1 }],
  ] satisfies RouteSelect['drop'][],
  nullExperts: [0, LISTED_SIZES.nullExperts],
  from: ['affinity', 'logits', 'exp', 'one', 'expert', 'place'],
  normalise: ['none', 'sum', 'softmax'],
  over: ['kept', 'chosen'],
  times: [undefined, 'largestAffinity'],
  expertScale: [undefined, row('scales')],
  layerVectors: [undefined, 4],
  outputs: [[], ['affinities'], ['largest', 'values'], ['logits']] satisfies RouteOutput[][],
  form: [0, 1, 2],
} as const;

type Dimension = 'steps' | 'choice' | keyof typeof OTHERS;

/** The index of a value of each dimension. */
type Row = Partial<Record<Dimension, number>>;

const sizeOf = (dimension: Dimension) =>
  dimension === 'steps' ? STEPS.length : dimension === 'choice' ? CHOICES.length : OTHERS[dimension].length;

/** The most storage buffers that a rule with these values binds; devices guarantee eight. */
function bindings(pick: Row): number {
  const choice = CHOICES[pick.choice ?? 0]?.kind;
  const isUsed = [
    (STEPS[pick.steps ?? 0] ?? []).some((step) => step.kind === 'mask' && step.by === 'token'),
    OTHERS.groups[pick.groups ?? 0] === 'score',
    choice === 'given' || pick.choice === 1,
    [2, 4, 5].includes(pick.drop ?? 0),
    ['expert', 'place'].includes(OTHERS.from[pick.from ?? 0] ?? ''),
    pick.layerVectors === 1,
  ];
  const outputs = OTHERS.outputs[pick.outputs ?? 0]?.length ?? 0;
  return 4 + isUsed.filter(Boolean).length + outputs; // scores, vectors, ids and weights
}

/** Whether values go together: verdicts are of given ids, request weights have no place for null experts, sums are not zero. */
function fit(pick: Row): boolean {
  const drop = pick.drop === 5;
  const given = pick.choice === CHOICES.length - 1;
  const from = OTHERS.from[pick.from ?? 0];
  const sum = OTHERS.normalise[pick.normalise ?? 0] === 'sum';
  return (
    bindings(pick) <= 8 &&
    !(drop && pick.choice !== undefined && !given) &&
    !(from === 'place' && pick.nullExperts === 1) &&
    !(from === 'logits' && sum)
  );
}

/** Rows that contain every pair of values that go together, beginning with those of steps and choices. */
export function pairedRows(): Row[] {
  const dimensions: readonly Dimension[] = [
    'steps',
    'choice',
    ...(Object.keys(OTHERS) as (keyof typeof OTHERS)[]),
  ];
  const key = (a: Dimension, i: number, b: Dimension, j: number) =>
    dimensions.indexOf(a) < dimensions.indexOf(b) ? `${a}=${i} ${b}=${j}` : `${b}=${j} ${a}=${i}`;
  const missing = new Map<string, Row>();
  for (const [at, a] of dimensions.entries()) {
    for (const b of dimensions.slice(at + 1)) {
      for (let i = 0; i < sizeOf(a); i += 1) {
        for (let j = 0; j < sizeOf(b); j += 1) {
          const pick = { [a]: i, [b]: j };
          if (fit(pick)) missing.set(key(a, i, b, j), pick);
        }
      }
    }
  }
  const rows: Row[] = [];
  for (let [next] = missing.values(); next; [next] = missing.values()) {
    const pick: Row = { ...next };
    for (const dimension of dimensions) {
      if (pick[dimension] !== undefined) continue;
      const gain = (value: number) => {
        const whole = { ...pick, [dimension]: value };
        if (!fit(whole)) return -1;
        const others = Object.entries(pick) as [Dimension, number][];
        return others.filter(([other, at]) => missing.has(key(dimension, value, other, at))).length;
      };
      const values = Array.from({ length: sizeOf(dimension) }, (_, value) => value);
      pick[dimension] = values.reduce((best, value) => (gain(value) > gain(best) ? value : best));
    }
    const picked = Object.entries(pick) as [Dimension, number][];
    for (const [at, [a, i]] of picked.entries()) {
      for (const [b, j] of picked.slice(at + 1)) missing.delete(key(a, i, b, j));
    }
    rows.push(pick);
  }
  return rows;
}

/** A rule with the outputs that it writes besides routes, in one form. */
export interface ListedRoute {
  readonly rule: RouteRule;
  readonly outputs: readonly RouteOutput[];
  readonly form: RouteForm;
}

function ruleOf(pick: Row): ListedRoute {
  const value = <D extends keyof typeof OTHERS>(dimension: D) =>
    OTHERS[dimension][pick[dimension] ?? 0] as (typeof OTHERS)[D][number];
  const by = value('groups');
  const { experts, groups: count } = LISTED_SIZES;
  const bias = value('bias');
  const select: RouteSelect = {
    choice: CHOICES[pick.choice ?? 0] ?? { kind: 'topK', k: experts },
    by: value('by'),
    ...(bias ? { bias } : {}),
    ...(by ? { groups: { count, keep: 2, by } } : {}),
    drop: value('drop'),
  };
  const [times, expertScale, layerVectors] = [value('times'), value('expertScale'), value('layerVectors')];
  const weigh: RouteWeigh = {
    ...{ from: value('from'), normalise: value('normalise'), over: value('over') },
    ...{ epsilon: 1e-3, scale: 1.5, add: 0.25 },
    ...(times ? { times } : {}),
    ...(expertScale ? { expertScale } : {}),
  };
  const rule = { steps: STEPS[pick.steps ?? 0] ?? [], select, weigh, nullExperts: value('nullExperts') };
  return {
    rule: layerVectors === undefined ? rule : { ...rule, layerVectors },
    outputs: value('outputs'),
    form: ROUTE_FORMS[value('form')],
  };
}

/** Logits are kept beside the row, or given, where both choice and weights read them: in all forms. */
const BY_LOGITS: readonly ListedRoute[] = ROUTE_FORMS.flatMap((form) => {
  const select = { choice: { kind: 'topK', k: 5 }, by: 'logits' } as const;
  const weigh = { from: 'logits', normalise: 'softmax' } as const;
  const steps = [{ kind: 'scale', by: 1.5 }, softmax] as const;
  return [
    { rule: { steps, select, weigh }, outputs: ['logits'], form },
    { rule: { steps: [softmax], select, weigh, logits: 'given' }, outputs: [], form },
  ] as const;
});

/** Rules with every pair of stages, each in one form. */
export const LISTED_ROUTES: readonly ListedRoute[] = [...pairedRows().map(ruleOf), ...BY_LOGITS];

/** The variants of `route` that tests compile. */
export function listedRoutes(): RouteVariant[] {
  const found = LISTED_ROUTES.flatMap(({ rule, outputs, form }) =>
    routeVariants(rule, outputs).filter((variant) => variant.capacity === form.capacity),
  );
  return [...new Map(found.map((variant) => [JSON.stringify(variant), variant])).values()];
}

/** The variants of `route-scores` that tests compile: all steps in all forms. */
export function listedScores(): RouteScoresVariant[] {
  return STEPS.flatMap((steps) => routeScoresVariants({ steps }, ['affinities', 'logits', 'largest']));
}

/** The steps of listed rules. */
export const LISTED_STEPS = STEPS;

/** Inputs for any listed rule. Scores and vectors are multiples of 1/16, so that ties are exact in any precision. */
export function listedInputs(
  rule: RouteRule,
  seed: number,
): { scores: Float32Array<ArrayBuffer>; inputs: Required<RouteInputs> } {
  const { tokens, experts, most, places, groups } = LISTED_SIZES;
  const scored = experts + (rule.nullExperts ?? 0);
  const next = randomStream(seed);
  const steps = (least: number, largest: number) => least + Math.floor(16 * (largest - least) * next()) / 16;
  const floats = (count: number, make: (index: number) => number) =>
    Float32Array.from({ length: count }, (_, i) => make(i));
  const words = (count: number, make: (index: number) => number) =>
    Uint32Array.from({ length: count }, (_, i) => make(i));
  const hasSums = rule.weigh.normalise === 'sum'; // positive, so that no sum of affinities is near zero
  const scores = floats(tokens * scored, () => steps(hasSums ? 0.125 : -3, 3));
  const vectors = [
    () => steps(0.5, 1.5),
    () => steps(0, 1),
    (e: number) => (e % 4 === 1 ? 0 : 1), // experts with odd ids are masked
    (e: number) => (e === 2 || e === 9 ? 0.5 : 0),
    () => steps(0, 0.5),
    () => steps(0.5, 1.5),
    (e: number) => [4, 0, 11][e] ?? 0,
    (e: number) => [0.05, 0.1, 0.3][e] ?? 0,
  ].flatMap((make) => Array.from({ length: scored }, (_, e) => make(e)));
  const layer = (rule.layerVectors ?? vectors.length / scored) * scored;
  return {
    scores,
    inputs: {
      vectors: Float32Array.from(vectors.slice(0, layer)),
      request_vectors: Float32Array.from(vectors.slice(layer)),
      token_mask: floats(tokens * experts, (at) => (at % 2 === 1 && next() < 0.5 ? 0 : 1)),
      given_logits: floats(tokens * scored, () => steps(-3, 3)),
      group_scores: floats(tokens * groups, () => steps(0, 1)),
      // Even ids are never masked. The last is a pad.
      given_ids: words(tokens * places, (at) =>
        at % places === 3 ? scored : 2 * ((3 * at) % (experts / 2)),
      ),
      importance: floats(tokens, () => next()),
      kinds: words(tokens, (t) => t % 3),
      protection: words(tokens, (t) => t % 3),
      verdicts: floats(tokens * places, () => next() - 0.5),
      raw_weights: floats(tokens * Math.max(experts, most), () => steps(0.125, 1)),
    },
  };
}

/** The buffers of inputs that a program binds. */
export function bound(names: Iterable<string>, inputs: RouteInputs): Record<string, Values> {
  const all = inputs as Readonly<Record<string, Values | undefined>>;
  return Object.fromEntries([...names].flatMap((name) => (all[name] ? [[name, all[name]]] : [])));
}
