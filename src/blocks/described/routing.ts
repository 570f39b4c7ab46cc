/** Builds the nodes that turn the scores of a described router into routes. */
import { routeNode, routeScoresNode, type RouteInputTensors } from '../../graph/ops/route.ts';
import {
  capacityNode,
  expertChoiceNode,
  mixTokensNode,
  sinkhornNode,
} from '../../graph/ops/sequence-routing.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { capacityPlaces, type CapacityRule } from '../../kernels/routing/capacity.ts';
import type { ExpertChoiceRule } from '../../kernels/routing/expert-choice.ts';
import { stepsBeforeLogits, type RouteRule, type RouteStep } from '../../kernels/routing/route-rule.ts';
import { choiceOf } from './choice.ts';
import { dropsOf } from './drops.ts';
import { hookedChoice, hookSteps } from './hooks.ts';
import { refuse, type RoutingSite } from './routing-site.ts';
import type { HooksDescription, RoutingDescription, StepDescription } from './stages.ts';
import { Vectors } from './vectors.ts';

/** Routes, and the affinities that shared experts may read. */
export interface DescribedRoutes {
  readonly ids: Tensor; // u32 [tokens, most]
  readonly weights: Tensor; // f32 [tokens, most]
  readonly largest?: Tensor | undefined; // f32 [tokens]: the largest affinity, if asked for
}

/** Scores on their way through the transform. */
interface Transformed {
  readonly scores: Tensor;
  readonly steps: readonly RouteStep[]; // those that are not run yet
  readonly logits: Tensor | undefined; // if an earlier op ran the activation
}

/**
 * Adds the nodes of transform, hooks, selection and weights.
 *
 * @throws {AtomoeError} unsupported-model - a part that has no op, by its path
 */
export function addRouting(
  site: RoutingSite,
  router: RoutingDescription,
  { hooks = {}, largest = false }: { readonly hooks?: HooksDescription; readonly largest?: boolean } = {},
): DescribedRoutes {
  const nodes = new RoutingNodes(site, router);
  const transformed = nodes.transform(router.transform ?? [], hooks);
  return nodes.route(transformed, hooks, largest);
}

class RoutingNodes {
  readonly #site: RoutingSite;
  readonly #router: RoutingDescription;
  readonly #vectors: Vectors;
  readonly #inputs: { -readonly [N in keyof RouteInputTensors]: RouteInputTensors[N] } = {};
  readonly #scored: number;

  constructor(site: RoutingSite, router: RoutingDescription) {
    this.#site = site;
    this.#router = router;
    this.#scored = site.experts + (router.nullExperts ?? 0);
    this.#vectors = new Vectors(site, this.#scored);
  }

  /** Runs what couples tokens, and collects the steps that the rule runs itself. */
  transform(list: readonly StepDescription[], hooks: HooksDescription): Transformed {
    let current: Transformed = { scores: this.#site.scores, steps: [], logits: undefined };
    const hooked = hookSteps(hooks, this.#site, this.#vectors);
    let waiting = hooked.length > 0;
    for (const [index, step] of list.entries()) {
      if (step.kind === 'mixTokens') {
        current = this.#mix(current, step.name, index);
        continue;
      }
      if (step.kind === 'sinkhorn') {
        const steps = [...current.steps, ...(waiting ? hooked : [])];
        current = this.#balance({ ...current, steps }, step, index);
        waiting = false;
        continue;
      }
      const own = this.#step(step, index);
      const isFirst = waiting && stepsBeforeLogits([own]) === 0;
      current = { ...current, steps: [...current.steps, ...(isFirst ? hooked : []), own] };
      if (isFirst) waiting = false;
    }
    return waiting ? { ...current, steps: [...current.steps, ...hooked] } : current;
  }

  #step(step: Exclude<StepDescription, { kind: 'sinkhorn' | 'mixTokens' }>, index: number): RouteStep {
    switch (step.kind) {
      case 'scale':
        return { kind: 'scale', by: typeof step.by === 'number' ? step.by : this.#vectors.layer(step.by) };
      case 'add':
        return { kind: 'add', by: this.#vectors.layer(step.tensor) };
      case 'mask': {
        if (step.by !== 'tokenIds') return { kind: 'mask', by: this.#vectors.layer(step.tensor, 1) };
        const { ofTokenId, experts } = this.#site;
        if (!ofTokenId || this.#inputs.tokenMask) refuse(`transform.${index}`, 'this mask by token');
        this.#inputs.tokenMask = ofTokenId(step.tensor, 'f32', experts);
        return { kind: 'mask', by: 'token' };
      }
      case 'standardise':
        return { kind: 'standardise', deviation: step.deviation ?? 'sample' };
      default:
        return step;
    }
  }

  #tensor(name: string, type: 'f32' | 'u32', perToken: number): Tensor {
    return this.#site.builder.tensor(`${this.#site.label} ${name}`, { type, perToken });
  }

  /** The scores after the steps so far, for an op that couples tokens. Masks would be lost behind an activation. */
  #settled({ scores, steps, logits }: Transformed, index: number): Tensor {
    if (logits || stepsBeforeLogits(steps) < steps.length) {
      refuse(`transform.${index}`, 'a step that couples tokens, behind an activation,');
    }
    if (steps.length === 0) return scores;
    const { builder, label, experts } = this.#site;
    const settled = this.#tensor(`logits ${index}`, 'f32', this.#scored);
    const rule = { steps, nullExperts: this.#scored - experts, ...this.#vectors.rows };
    const inputs = this.#vectors.inputs(this.#inputs);
    const outputs = { logits: settled };
    builder.add(routeScoresNode(`${label} logits ${index}`, { scores, inputs, outputs, experts, rule }));
    return settled;
  }

  #mix(current: Transformed, name: string, index: number): Transformed {
    const { builder, label, links } = this.#site;
    if (!links) refuse(`transform.${index}`, 'mixTokens without links');
    const experts = this.#scored;
    const values = this.#settled(current, index);
    const y = this.#tensor(`mixed ${index}`, 'f32', experts);
    builder.add(mixTokensNode(`${label} mixed ${index}`, { links: links(name), values, y, experts }));
    return { scores: y, steps: [], logits: undefined };
  }

  /** Sinkhorn's iteration over the logits. */
  #balance(
    current: Transformed,
    { iterations = 20, temperature }: Extract<StepDescription, { kind: 'sinkhorn' }>,
    index: number,
  ): Transformed {
    const { builder, label } = this.#site;
    const experts = this.#scored;
    const values = this.#settled(current, index);
    const balanced = this.#tensor('balanced', 'f32', experts);
    const sequences = this.#site.sequences?.();
    builder.add(
      sinkhornNode(`${label} sinkhorn`, { values, balanced, sequences, experts, iterations, temperature }),
    );
    return { scores: balanced, steps: [], logits: values };
  }

  /** Selection and weights, with the ops between them that couple tokens. */
  route(transformed: Transformed, hooks: HooksDescription, isLargestAsked: boolean): DescribedRoutes {
    const { select, weigh, capacity, nullExperts } = this.#router;
    const { steps, logits } = transformed;
    const isRead = select.by === 'logits' || weigh.from === 'logits';
    const base = { steps, nullExperts, ...(logits && isRead ? { logits: 'given' as const } : {}) };
    if (logits && isRead) this.#inputs.givenLogits = logits;
    const shared = this.#selection();
    const hooked = hookedChoice(hooks, this.#site, this.#vectors, this.#inputs);
    const weights = this.#weights(hooks);
    const finish = (own: RouteRule['select'], weighed = weights) =>
      this.#routes(transformed.scores, { ...base, select: own, weigh: weighed }, isLargestAsked);
    if (hooked) return finish({ ...shared, choice: hooked });
    if (select.kind === 'expertChoice') {
      const rule = expertChoiceRule(select, weigh);
      const choice = this.#takenByExperts(transformed.scores, { ...base, select: shared }, rule);
      return finish(
        { choice, drop: shared.drop },
        rule.across ? { ...weights, from: 'expert', normalise: 'none' } : weights,
      );
    }
    const choice = choiceOf(select, this.#site, this.#scored, this.#vectors, this.#inputs);
    if (!capacity) return finish({ ...shared, choice });
    const placed = this.#placed(transformed.scores, { ...base, select: { ...shared, choice } }, capacity);
    return finish({ choice: placed, drop: shared.drop });
  }

  /** What all rules of `select` share. */
  #selection(): Omit<RouteRule['select'], 'choice'> & {
    readonly drop: NonNullable<RouteRule['select']['drop']>;
  } {
    const { select } = this.#router;
    const { by, bias, drop = [] } = select;
    const groups = select.kind === 'topOfEach' ? undefined : select.groups;
    if (groups?.by === 'score') {
      this.#inputs.groupScores =
        this.#site.groupScores ?? refuse('select.groups', 'a group score of this score');
    }
    return {
      ...(by === 'logits' ? { by } : {}),
      ...(bias === undefined ? {} : { bias: this.#vectors.layer(bias) }),
      ...(groups ? { groups } : {}),
      drop: dropsOf(drop, this.#site, this.#vectors, this.#inputs),
    };
  }

  #weights({ replay }: HooksDescription): RouteRule['weigh'] {
    const { most } = this.#site;
    const { from = 'affinity', expertScale, ...rest } = this.#router.weigh;
    const { normalise, over, epsilon, times, scale, add } = rest;
    const given = { normalise, over, epsilon, times, scale, add };
    const numbers = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    if (replay?.weights !== undefined && replay.weights !== 'recompute') {
      this.#inputs.rawWeights = this.#site.request(replay.weights, { type: 'f32', perToken: most });
      return { from: 'place' }; // the recorded weights, as they are
    }
    const own = expertScale === undefined ? {} : { expertScale: this.#vectors.layer(expertScale, 1) };
    if (typeof from === 'string') return { ...numbers, ...own, from };
    if (from.kind === 'caller') {
      this.#inputs.rawWeights = this.#site.request(from.name, { type: 'f32', perToken: most });
      return { ...numbers, ...own, from: 'place' };
    }
    const { ofHidden } = this.#site;
    if (!ofHidden) refuse('weigh.from', 'a linear weight');
    this.#inputs.rawWeights = ofHidden(from.weight, from.activation);
    return { ...numbers, ...own, from: 'expert' };
  }

  #rule(rule: RouteRule): RouteRule {
    return { ...rule, ...this.#vectors.rows };
  }

  #routes(scores: Tensor, rule: RouteRule, isLargestAsked: boolean): DescribedRoutes {
    const { builder, label, experts, most } = this.#site;
    const ids = builder.tensor(`${label} ids`, { type: 'u32', role: 'output', perToken: most });
    const weights = builder.tensor(`${label} weights`, { type: 'f32', role: 'output', perToken: most });
    const largest = isLargestAsked ? this.#tensor('largest affinity', 'f32', 1) : undefined;
    const inputs = this.#vectors.inputs(usedInputs(this.#inputs, rule));
    const outputs = largest ? { largest } : {};
    builder.add(
      routeNode(label, { scores, inputs, ids, weights, outputs, experts, most, rule: this.#rule(rule) }),
    );
    return { ids, weights, largest };
  }

  /** Runs a rule for its selection values, or for its choice before capacity. */
  #first(
    scores: Tensor,
    rule: Omit<RouteRule, 'weigh'>,
    most: number,
    outputs: { readonly [N in 'values' | 'affinities' | 'logits']?: Tensor },
  ): Tensor {
    const { builder, label, experts } = this.#site;
    const ids = this.#tensor('first ids', 'u32', most);
    const weights = this.#tensor('first weights', 'f32', most);
    const whole = this.#rule({ ...rule, weigh: { from: 'one' } });
    const inputs = this.#vectors.inputs(usedInputs(this.#inputs, whole));
    builder.add(
      routeNode(`${label} first`, { scores, inputs, ids, weights, outputs, experts, most, rule: whole }),
    );
    return ids;
  }

  #takenByExperts(
    scores: Tensor,
    rule: Omit<RouteRule, 'weigh' | 'select'> & { readonly select: Omit<RouteRule['select'], 'choice'> },
    own: ExpertChoiceRule,
  ): RouteRule['select']['choice'] {
    const { builder, label, experts } = this.#site;
    const sequences = this.#site.sequences?.();
    const { from = 'affinity' } = this.#router.weigh;
    const values = this.#tensor('values', 'f32', experts);
    const raw = own.across && this.#tensor('raw', 'f32', experts);
    if (raw && from !== 'affinity' && from !== 'logits')
      refuse('weigh.across', 'this raw weight across tokens');
    const extra = raw ? { [from === 'logits' ? 'logits' : 'affinities']: raw } : {};
    const { drop: _, ...select } = rule.select;
    this.#first(scores, { ...rule, select: { ...select, choice: { kind: 'all' } } }, experts, {
      values,
      ...extra,
    });
    const given = this.#tensor('given', 'u32', experts);
    const across = raw && { raw, shares: this.#tensor('shares', 'f32', experts) };
    builder.add(expertChoiceNode(`${label} taken`, { values, given, across, sequences, experts, rule: own }));
    this.#inputs.givenIds = given;
    if (across) this.#inputs.rawWeights = across.shares;
    return { kind: 'given', places: experts };
  }

  #placed(
    scores: Tensor,
    rule: Omit<RouteRule, 'weigh'>,
    {
      factor,
      tokensPerExpert,
      order = 'token',
      overflow = 'drop',
      fill = false,
    }: NonNullable<RoutingDescription['capacity']>,
  ): RouteRule['select']['choice'] {
    const { builder, label, experts } = this.#site;
    const sequences = this.#site.sequences?.();
    const { choice } = rule.select;
    const k = choice.kind === 'topK' ? choice.k : refuse('capacity', 'a capacity without topK');
    const values = this.#tensor('values', 'f32', experts);
    if ((rule.nullExperts ?? 0) > 0) refuse('capacity', 'a capacity with null experts');
    const { drop: _, ...select } = rule.select;
    const ids = this.#first(scores, { ...rule, select }, k, { values });
    const kept = tokensPerExpert === undefined ? undefined : this.#site.placed?.(ids, tokensPerExpert);
    if (kept) {
      this.#inputs.givenIds = kept;
      return { kind: 'given', places: k };
    }
    const room = tokensPerExpert === undefined ? { factor: factor ?? 1 } : { tokens: tokensPerExpert };
    const own: CapacityRule = { room, order, overflow, fill };
    const places = capacityPlaces(own, k, experts);
    const given = this.#tensor('given', 'u32', places);
    builder.add(capacityNode(`${label} placed`, { ids, values, given, sequences, experts, k, rule: own }));
    this.#inputs.givenIds = given;
    return { kind: 'given', places };
  }
}

/** The inputs that a rule reads; the rest belongs to another call for the same router. */
function usedInputs(
  inputs: RouteInputTensors,
  { steps, select, weigh, logits }: RouteRule,
): RouteInputTensors {
  const { choice, groups, drop = [] } = select;
  const isUsed: Record<keyof RouteInputTensors, boolean> = {
    vectors: true,
    requestVectors: true,
    tokenMask: steps.some((step) => step.kind === 'mask' && step.by === 'token'),
    givenLogits: logits === 'given' && (select.by === 'logits' || weigh.from === 'logits'),
    groupScores: groups?.by === 'score',
    givenIds: choice.kind === 'given',
    importance: choice.kind === 'topK' && choice.least !== undefined,
    kinds: drop.some((each) => each.kind === 'belowThreshold' && each.by === 'kind'),
    protection: drop.some((each) => each.kind === 'belowRatio' && each.by === 'protection'),
    verdicts: drop.some(({ kind }) => kind === 'verdict'),
    rawWeights: weigh.from === 'expert' || weigh.from === 'place',
  };
  return Object.fromEntries(
    Object.entries(inputs).filter(([name]) => isUsed[name as keyof RouteInputTensors]),
  );
}

function expertChoiceRule(
  select: Extract<RoutingDescription['select'], { kind: 'expertChoice' }>,
  { across, normalise = 'none', epsilon = 0 }: NonNullable<RoutingDescription['weigh']>,
): ExpertChoiceRule {
  const { factor = 1, tokensPerExpert, round = 'ceil', least = 1, forceFirst = false, among } = select;
  return {
    room: tokensPerExpert === undefined ? { factor, round } : { tokens: tokensPerExpert },
    least,
    forceFirst,
    ...(among === undefined ? {} : { among }),
    ...(across === 'tokens' && normalise !== 'none' ? { across: { normalise, epsilon } } : {}),
  };
}
