/** What the keys of a layer description say of each other, and what follows from them. */
import { under, wrong } from './fields.ts';
import type { ExpertDescription } from './expert.ts';
import type { HooksDescription, LayerDescription, PatternDescription } from './layer.ts';
import type { RouterDescription, ScopeDescription, ScoreDescription, SelectDescription } from './router.ts';

/** A layer, or one within a pattern. */
type AnyLayer = Pick<LayerDescription, 'experts' | 'most' | 'router' | 'expert' | 'pattern'> & {
  readonly hooks?: HooksDescription;
};

/** What a decision depends on, from the token alone to the whole batch. */
export type Sees = NonNullable<ScopeDescription['sees']>;

/** @throws {AtomoeError} bad-input - with the JSON path */
export function checkLayer(layer: AnyLayer, path = ''): void {
  const { pattern } = layer;
  const inner = innerLayers(pattern);
  if (inner.length > 0) {
    for (const { at, layer: one } of inner) checkLayer(one, under(under(path, 'pattern'), at));
    return;
  }
  const { experts, router, expert, hooks } = layer;
  if (experts === undefined) return wrong(under(path, 'experts'), experts, 'the number of experts');
  const needsRouter = pattern.kind !== 'softMix';
  if (needsRouter && !router) wrong(under(path, 'router'), router, 'an object');
  if (router) checkRouter(router, experts, under(path, 'router'));
  const bound = router?.score.kind === 'productKeys' ? router.score.heads * experts : experts;
  const { most } = layer;
  if (most !== undefined && most > bound) wrong(under(path, 'most'), most, `at most ${bound}`);
  if (expert) checkExpert(expert, experts, under(path, 'expert'));
  if (!hooks) return;
  checkHooks(hooks, experts, under(path, 'hooks'));
  if (router?.score.kind !== 'productKeys') return;
  for (const key of ['ranks', 'replay'] as const)
    if (hooks[key]) wrong(under(path, `hooks.${key}`), hooks[key], 'none: heads choose for themselves');
}

/** The layers within a pattern, and where they are written. */
export function innerLayers(
  pattern: PatternDescription,
): { readonly at: string; readonly layer: AnyLayer }[] {
  if (pattern.kind === 'sequence') {
    return pattern.steps.map(({ layer }, index) => ({ at: `steps.${index}.layer`, layer }));
  }
  if (pattern.kind !== 'parallel' && pattern.kind !== 'blend') return [];
  return pattern.layers.map((layer, index) => ({ at: `layers.${index}`, layer }));
}

function checkRouter(router: RouterDescription, experts: number, path: string): void {
  const { score, nullExperts, nullWeight, weigh, transform, select } = router;
  checkScore(score, experts, under(path, 'score'));
  if (nullExperts > 0 && score.kind !== 'linear') {
    wrong(under(path, 'nullExperts'), nullExperts, '0 with other scores than linear ones');
  }
  if (nullExperts > 0 && nullWeight === undefined) wrong(under(path, 'nullWeight'), nullWeight, 'a tensor');
  for (const [index, step] of transform.entries()) {
    if (step.kind !== 'softmax' || step.within === undefined || experts % step.within === 0) continue;
    wrong(under(path, `transform.${index}.within`), step.within, `a divisor of ${experts}`);
  }
  checkSelect(router, experts, under(path, 'select'));
  if (weigh.from === 'logits' && weigh.normalise === 'sum') {
    wrong(under(path, 'weigh.normalise'), weigh.normalise, 'none or softmax: logits have no meaningful sum');
  }
  if (weigh.across === 'tokens' && select.kind !== 'expertChoice') {
    wrong(under(path, 'weigh.across'), weigh.across, 'experts, unless experts choose tokens');
  }
  checkCapacity(router, under(path, 'capacity'));
  checkScope(router, under(path, 'scope'));
}

function checkScore(score: ScoreDescription, experts: number, path: string): void {
  if (score.kind === 'condition') {
    checkIds(score.experts, experts, under(path, 'experts'));
    checkScore(score.otherwise, experts, under(path, 'otherwise'));
  } else if (score.kind === 'sum') {
    for (const [index, { score: term }] of score.terms.entries()) {
      checkScore(term, experts, under(path, `terms.${index}.score`));
    }
  }
}

function checkSelect(
  { select, transform, score, nullExperts }: RouterDescription,
  experts: number,
  path: string,
): void {
  const scored = experts + nullExperts;
  if (select.kind === 'topK') {
    const { k } = select;
    const most = typeof k === 'number' ? k : k.most;
    const at = typeof k === 'number' ? 'k' : 'k.most';
    if (most > scored) wrong(under(path, at), most, `at most ${scored}`);
    if (typeof k !== 'number' && k.least > k.most)
      wrong(under(path, 'k.least'), k.least, `at most ${k.most}`);
  } else if (select.kind === 'topP') {
    const areShares = transform.some(({ kind }) => kind === 'softmax') || score.kind === 'twoLevel';
    if (!areShares)
      wrong(under(path, 'kind'), select.kind, 'topK, or a softmax before it: topP adds up probabilities');
  } else if (select.kind === 'topOfEach') {
    if (experts % select.groups !== 0) wrong(under(path, 'groups'), select.groups, `a divisor of ${experts}`);
  } else if (select.kind === 'ranks') {
    checkRanks(select.ranks, scored, under(path, 'ranks'));
  } else if (select.kind === 'ids') {
    if (select.name === undefined && select.tensor === undefined) {
      wrong(under(path, 'name'), undefined, "the name of the request's ids, or a tensor");
    }
    if (select.tensor !== undefined && select.by !== 'tokenIds')
      wrong(under(path, 'by'), select.by, 'tokenIds');
  } else if (select.kind === 'expertChoice') {
    if (select.factor === undefined && select.tokensPerExpert === undefined) {
      wrong(under(path, 'factor'), undefined, 'a number above 0, or tokensPerExpert');
    }
    if ((select.among ?? 1) > experts) wrong(under(path, 'among'), select.among, `at most ${experts}`);
  }
  checkGroups(select, score, experts, under(path, 'groups'));
}

function checkGroups(
  select: SelectDescription,
  score: ScoreDescription,
  experts: number,
  path: string,
): void {
  if (select.kind === 'topOfEach' || !select.groups) return;
  const { count, keep, by } = select.groups;
  if (select.kind === 'all' || select.kind === 'positive') {
    wrong(path, select.groups, `no groups with ${select.kind}`);
  }
  if (experts % count !== 0) wrong(under(path, 'count'), count, `a divisor of ${experts}`);
  if (keep > count) wrong(under(path, 'keep'), keep, `at most ${count}`);
  if (by === 'sumOfTopTwo' && experts / count < 2)
    wrong(under(path, 'by'), by, 'max, or groups of two and more');
  if (by === 'score' && score.kind !== 'twoLevel') wrong(under(path, 'by'), by, 'max or sumOfTopTwo');
}

function checkCapacity({ capacity, select }: RouterDescription, path: string): void {
  if (!capacity) return;
  if (select.kind !== 'topK') wrong(path, capacity, 'no capacity, unless tokens choose their top k');
  if (capacity.factor === undefined && capacity.tokensPerExpert === undefined) {
    wrong(under(path, 'factor'), undefined, 'a number above 0, or tokensPerExpert');
  }
}

function checkScope(router: RouterDescription, path: string): void {
  const { scope, transform } = router;
  if (scope.unit === 'segment' && scope.segmentLength === undefined) {
    wrong(under(path, 'segmentLength'), undefined, 'a whole number of at least 1');
  }
  if (scope.pool === 'concatenate' && scope.unit !== 'segment') {
    wrong(under(path, 'pool'), scope.pool, 'mean, first or last, unless the unit is a segment');
  }
  const derived = seesOf(router);
  const written = scope.sees ?? 'token';
  // Whether the request's matrix of tokens is causal is known only at run time.
  const mayBeFull = derived === 'prefix' && transform.some(({ kind }) => kind === 'mixTokens');
  if (written === derived || (mayBeFull && written === 'sequence')) return;
  wrong(under(path, 'sees'), scope.sees, `"${derived}", as follows from the other keys`);
}

/** What a router's decision depends on: tokens of a prefix, a prompt, a sequence or a batch besides the token itself. */
export function seesOf({ scope, select, transform, capacity }: RouterDescription): Sees {
  const isOverBatch =
    capacity?.over === 'batch' || (select.kind === 'expertChoice' && select.over === 'batch');
  if (isOverBatch) return 'batch';
  const isInOrder =
    capacity?.tokensPerExpert !== undefined &&
    capacity.order === 'token' &&
    capacity.overflow === 'drop' &&
    !capacity.fill;
  const needsAll =
    select.kind === 'expertChoice' ||
    (select.kind === 'topK' && typeof select.k !== 'number' && select.k.from === 'attentionReceived') ||
    select.drop.some((filter) => filter.kind === 'belowRatio' && filter.protect) ||
    transform.some(({ kind }) => kind === 'sinkhorn') ||
    (scope.unit === 'segment' && scope.pool !== 'first') ||
    (capacity !== undefined && !isInOrder);
  if (needsAll) return 'sequence';
  if (scope.unit === 'sequence') return 'prompt';
  const needsPrefix =
    isInOrder || scope.unit === 'segment' || transform.some(({ kind }) => kind === 'mixTokens');
  return needsPrefix ? 'prefix' : 'token';
}

/** The most routes of a token that a router can have. */
export function mostOf({ router, experts = 0, most, hooks }: AnyLayer): number {
  if (most !== undefined) return most;
  if (!router) return 0;
  const { select, capacity, score } = router;
  if (hooks?.ranks) return hooks.ranks.length;
  if (capacity?.fill === true) return experts;
  switch (select.kind) {
    case 'topK': {
      const k = typeof select.k === 'number' ? select.k : select.k.most;
      return score.kind === 'productKeys' ? score.heads * k : Math.min(k, experts);
    }
    case 'topP':
      return Math.min(experts, select.atMost ?? experts);
    case 'topOfEach':
      return select.groups;
    case 'ranks':
      return select.ranks.length;
    default:
      return experts;
  }
}

function checkExpert(expert: ExpertDescription, experts: number, path: string): void {
  if (expert.kind === 'each' && expert.experts.length !== experts) {
    wrong(under(path, 'experts'), expert.experts, `a list of ${experts}`);
  }
  if (expert.alias && expert.alias.length !== experts) {
    wrong(under(path, 'alias'), expert.alias, `a list of ${experts}`);
  }
}

function checkHooks({ mask = [], ranks = [], steer }: HooksDescription, experts: number, path: string): void {
  checkIds(mask, experts, under(path, 'mask'));
  checkRanks(ranks, experts, under(path, 'ranks'));
  if (!steer) return;
  checkIds(steer.experts, experts, under(path, 'steer.experts'));
  if (steer.mode === 'soft' && steer.strength === undefined) {
    wrong(under(path, 'steer.strength'), undefined, 'a number');
  }
}

function checkIds(ids: readonly number[], experts: number, path: string): void {
  for (const [index, id] of ids.entries()) {
    if (id >= experts) wrong(under(path, index), id, `an expert of 0 to ${experts - 1}`);
  }
}

function checkRanks(ranks: readonly number[], count: number, path: string): void {
  for (const [index, rank] of ranks.entries()) {
    if (rank >= count) wrong(under(path, index), rank, `a rank of 0 to ${count - 1}`);
    if (ranks.indexOf(rank) !== index) wrong(under(path, index), rank, 'each rank once');
  }
}
