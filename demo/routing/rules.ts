/** The rules that the page offers: routers as data (docs/ROUTING.md), over the router matrices of fable-moe-12m. */

/** Sizes of the model, which descriptions repeat. */
export const MODEL = { id: 'fable-moe-12m', hidden: 192, experts: 32, layers: 6 } as const;

const score = { kind: 'linear', weight: 'model.layers.{layer}.mlp.gate.weight' } as const;
const softmax = [{ kind: 'softmax' }] as const;
const random = { kind: 'random', seed: 1 } as const;

/** A rule of the list. */
export interface Rule {
  readonly id: string; // in links: stays what it is
  readonly name: string;
  readonly does: string;
  readonly router: Readonly<Record<string, unknown>>;
  readonly ranks?: readonly number[]; // in place of the first ones
  readonly isOwn?: true; // what the model does without a description
  readonly layer?: Readonly<Record<string, unknown>>; // a whole description, of the visitor's own
  readonly paper?: { readonly number: number; readonly title: string }; // in docs/PAPERS.md
}

/** The choice of the model's own router, and what it does with the weights. */
const OWN = {
  score,
  transform: softmax,
  select: { kind: 'topK', k: 4 },
  weigh: { normalise: 'sum' },
} as const;

export const RULES: readonly Rule[] = [
  {
    id: 'own',
    name: 'The model’s own: best 4',
    does: 'The 4 experts with the highest scores; their weights add up to 1.',
    router: OWN,
    isOwn: true,
  },
  {
    id: 'best-1',
    name: 'Best 1',
    does: 'The expert with the highest score alone, with weight 1.',
    router: { ...OWN, select: { kind: 'topK', k: 1 } },
  },
  {
    id: 'best-2',
    name: 'Best 2',
    does: 'The 2 experts with the highest scores; their weights add up to 1.',
    router: { ...OWN, select: { kind: 'topK', k: 2 } },
  },
  {
    id: 'best-8',
    name: 'Best 8',
    does: 'The 8 experts with the highest scores; their weights add up to 1.',
    router: { ...OWN, select: { kind: 'topK', k: 8 } },
  },
  {
    id: 'switch',
    name: 'Best 1, weighed by its score',
    does: 'One expert; its weight is its score, a probability, so that it adds less where the router is unsure.',
    router: { score, transform: softmax, select: { kind: 'topK', k: 1 } },
  },
  {
    id: 'best-4-scores',
    name: 'Best 4, weighed by their scores',
    does: 'The model’s own choice; the weights are the scores as they are and add up to less than 1.',
    router: { score, transform: softmax, select: { kind: 'topK', k: 4 } },
    paper: {
      number: 27,
      title: 'DeepSeekMoE: Towards Ultimate Expert Specialization in Mixture-of-Experts Language Models',
    },
  },
  {
    id: 'top-p',
    name: 'Top p: as many as reach 0.5',
    does: 'The best experts until their scores add up to more than 0.5: few where the router is sure, many where it is not.',
    router: { score, transform: softmax, select: { kind: 'topP', p: 0.5, rule: 'crossing' } },
    paper: { number: 26, title: 'Harder Tasks Need More Experts: Dynamic Routing in MoE Models' },
  },
  {
    id: 'top-p-sum',
    name: 'Top p, weights add up to 1',
    does: 'The choice of top p; the weights are made to add up to 1.',
    router: {
      score,
      transform: softmax,
      select: { kind: 'topP', p: 0.5, rule: 'crossing' },
      weigh: { normalise: 'sum' },
    },
  },
  {
    id: 'threshold',
    name: 'Best 4 above a threshold',
    does: 'Of the best 4, those whose score is above 0.1; a token may have none.',
    router: {
      ...OWN,
      select: { kind: 'topK', k: 4, drop: [{ kind: 'belowThreshold', thresholds: [0.1] }] },
    },
  },
  {
    id: 'ratio',
    name: 'Best 4, without the weak',
    does: 'Of the best 4, those whose score is at least half of the best one’s.',
    router: { ...OWN, select: { kind: 'topK', k: 4, drop: [{ kind: 'belowRatio', ratio: 0.5 }] } },
  },
  {
    id: 'relu',
    name: 'ReLU: all above zero',
    does: 'Every expert whose raw score is above 0, weighed by it. This model was not trained so, and its text falls apart.',
    router: { score, transform: [{ kind: 'relu' }], select: { kind: 'positive' } },
    paper: { number: 126, title: 'ReMoE: Fully Differentiable Mixture-of-Experts with ReLU Routing' },
  },
  {
    id: 'relu-sum',
    name: 'ReLU, weights add up to 1',
    does: 'The choice of ReLU; the weights are made to add up to 1.',
    router: {
      score,
      transform: [{ kind: 'relu' }],
      select: { kind: 'positive' },
      weigh: { normalise: 'sum' },
    },
  },
  {
    id: 'sigmoid',
    name: 'Sigmoid, best 4',
    does: 'The same 4 experts as the model’s own; each score is a sigmoid of its own, so that the weights are more alike.',
    router: { ...OWN, transform: [{ kind: 'sigmoid' }] },
  },
  {
    id: 'groups',
    name: 'Best 4 of the best 2 groups',
    does: 'The experts are 4 groups of 8. Only the 2 groups with the best experts take part.',
    router: { ...OWN, select: { kind: 'topK', k: 4, groups: { count: 4, keep: 2, by: 'max' } } },
  },
  {
    id: 'one-of-each',
    name: 'Best 1 of each of 4 groups',
    does: 'The experts are 4 groups of 8; the best of each group is chosen.',
    router: { ...OWN, select: { kind: 'topOfEach', groups: 4 } },
  },
  {
    id: 'cosine',
    name: 'Cosine scores, best 4',
    does: 'Scores are cosines of the token and an expert’s key, so that long keys have no advantage.',
    router: { ...OWN, score: { kind: 'cosine', keys: score.weight, temperature: 0.1 } },
  },
  {
    id: 'next-4',
    name: 'The next 4: ranks 5 to 8',
    does: 'The experts that just missed the choice.',
    router: OWN,
    ranks: [4, 5, 6, 7],
    paper: {
      number: 22,
      title: 'Unchosen Experts Can Contribute Too: Unleashing MoE Models’ Power by Self-Contrast',
    },
  },
  {
    id: 'last-4',
    name: 'The last 4: ranks 29 to 32',
    does: 'The experts that the router wants least.',
    router: OWN,
    ranks: [28, 29, 30, 31],
  },
  {
    id: 'all',
    name: 'All 32',
    does: 'Every expert, weighed by its score: no choice at all.',
    router: { score, transform: softmax, select: { kind: 'all' } },
  },
  {
    id: 'random-1',
    name: 'Random 1, by the seed',
    does: 'One expert by chance, whatever the token is; the seed, the layer and the position in the text choose it, the same on every machine.',
    router: { score: random, select: { kind: 'topK', k: 1 }, weigh: { from: 'one', normalise: 'sum' } },
    paper: { number: 103, title: 'Taming Sparsely Activated Transformer with Stochastic Experts' },
  },
  {
    id: 'random-4',
    name: 'Random 4, by the seed',
    does: 'Four experts by chance with equal weights: what the router’s choice is worth.',
    router: { score: random, select: { kind: 'topK', k: 4 }, weigh: { from: 'one', normalise: 'sum' } },
  },
];

/** The id, in links, of a description of the visitor's own. */
export const DESCRIBED = 'described';

/** A rule of the list. */
export function ruleOf(id: string): Rule | undefined {
  return RULES.find((rule) => rule.id === id);
}

/** A rule that the visitor has written. */
export function describedRule(layer: Readonly<Record<string, unknown>>): Rule {
  const { router = {}, title } = layer;
  const name = typeof title === 'string' ? title : 'a description of your own';
  return { id: DESCRIBED, name, does: '', router: router as Rule['router'], layer };
}

/** A rule as a description, to be edited: `{layer}` stands for the number of a layer. */
export function textOf(rule: Rule, seed: number): string {
  return JSON.stringify(describe(rule, rule.router, { seed, layer: 0, hooks: ranksOf(rule) }), null, 2);
}

/** What is done to one expert of one layer. */
export interface Edit {
  readonly layer: number;
  readonly expert: number;
  readonly kind: 'mute' | 'steer';
}

/** What becomes of steered experts: `hard`: always chosen; a number: so many standard deviations are added to their scores. */
export type Steering = 'off' | 'hard' | number;

/** What is changed in a rule. */
export interface Changes {
  readonly edits: readonly Edit[];
  readonly steering: Steering;
  readonly seed: number; // of random rules
}

interface LayerEdits {
  readonly mask?: readonly number[];
  readonly steer?:
    | { readonly experts: readonly number[]; readonly mode: 'hard' }
    | { readonly experts: readonly number[]; readonly mode: 'soft'; readonly strength: number };
}

/** Edits as hooks of each layer; null: none. */
export function editsByLayer({
  edits,
  steering,
}: Pick<Changes, 'edits' | 'steering'>): readonly (LayerEdits | null)[] {
  return Array.from({ length: MODEL.layers }, (_, layer) => {
    const of = (kind: Edit['kind']) =>
      edits.filter((edit) => edit.layer === layer && edit.kind === kind).map(({ expert }) => expert);
    const [mask, experts] = [of('mute'), steering === 'off' ? [] : of('steer')];
    if (mask.length + experts.length === 0) return null;
    const steer =
      typeof steering === 'number'
        ? { experts, mode: 'soft' as const, strength: steering }
        : { experts, mode: 'hard' as const };
    return { ...(mask.length > 0 && { mask }), ...(experts.length > 0 && { steer }) };
  });
}

/** How the engine is asked to follow a rule: descriptions when the model is loaded, hooks with each reply. */
export interface RuleOptions {
  readonly routing?: readonly (object | null)[];
  readonly hooks?: { readonly layers: readonly (LayerEdits | null)[] };
}

/** The model's own router stays where it can: its edits are hooks of the reply, and nothing is loaded again. */
export function optionsOf(rule: Rule, changes: Changes): RuleOptions {
  const layers = editsByLayer(changes);
  if (rule.isOwn) return layers.some((each) => each !== null) ? { hooks: { layers } } : {};
  const { seed } = changes;
  return {
    routing: layers.map((each, layer) =>
      describe(rule, rule.router, { seed, layer, hooks: { ...ranksOf(rule), ...each } }),
    ),
  };
}

/**
 * The same rule up to a layer, in which every expert is chosen and weighed by its score. What a layer sees depends on
 * earlier layers only, so that these are the scores from which the rule chooses.
 */
export function scoringOptions(rule: Rule, changes: Changes, layer: number): RuleOptions {
  const { seed } = changes;
  const { select: _, weigh: __, capacity, scope, ...scores } = rule.router;
  // Room in experts is what makes a choice depend on earlier tokens: without it that is not said.
  const probe = { ...scores, ...(scope && !capacity ? { scope } : {}), select: { kind: 'all' } };
  return {
    routing: editsByLayer(changes).map((each, index) => {
      if (index > layer) return null;
      if (index === layer) return describe(withoutLayer(rule), probe, { seed, layer: index, hooks: {} });
      if (rule.isOwn && each === null) return null;
      return describe(rule, rule.router, { seed, layer: index, hooks: { ...ranksOf(rule), ...each } });
    }),
  };
}

/** A probe has no hooks and no `most`. */
function withoutLayer({ layer: _, ...rule }: Rule): Rule {
  return rule;
}

function ranksOf({ ranks }: Rule): object {
  return ranks ? { ranks } : {};
}

/** The description of a layer's rule. A visitor's own has its seed and hooks in it; the page's random rules get theirs. */
function describe(
  rule: Rule,
  router: Rule['router'],
  { seed, layer, hooks }: { readonly seed: number; readonly layer: number; readonly hooks: object },
): object {
  const { score: own } = router;
  const isRandom = rule.layer === undefined && own === random;
  const { hooks: written, ...rest } = rule.layer ?? {
    format: 'atomoe.layer',
    version: 1,
    hiddenSize: MODEL.hidden,
    experts: MODEL.experts,
  };
  const all = { ...(written as object | undefined), ...hooks };
  return {
    ...rest,
    router: isRandom ? { ...router, score: { ...random, seed, layer } } : router,
    ...(Object.keys(all).length > 0 && { hooks: all }),
  };
}
