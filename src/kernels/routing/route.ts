import source from '../../../shaders/routing/route.wgsl?raw';
import scoresSource from '../../../shaders/routing/route-scores.wgsl?raw';
import { invariant } from '../../errors.ts';
import { render } from '../../gpu/program.ts';
import { foldGrid } from '../common.ts';
import { defineKernel, type ParamValues, type Variant } from '../kernel.ts';
import { choiceParts, routeBindings, ROUTE_FORMS, rowParts, type RouteForm } from './route-parts.ts';
import type { RouteOutput, RouteRule } from './route-rule.ts';
import { routeStages, scoreStages, type ChoiceStages, type RouteStages } from './route-stages.ts';

/** The problem size, which determines the grid. */
export interface RouteSize {
  readonly tokens: number;
  readonly scored: number; // scores of a token: experts and null experts
}

/** Maximum number of experts and null experts. */
export const MAX_ROUTE_SCORES = 1024;

/** A variant: a form with the stages of a rule. */
export type RouteVariant = RouteForm & ChoiceStages & Variant;

/** A variant that writes logits or affinities only. */
export type RouteScoresVariant = RouteForm & RouteStages & Variant;

const PARAMS = {
  tokens: 'u32',
  experts: 'u32',
  scored: 'u32',
  most: 'u32',
  limit: 'u32',
  least: 'u32',
  groups: 'u32',
  keep: 'u32',
  given: 'u32',
  p: 'f32',
  entropy_index: 'f32',
  entropy_threshold: 'f32',
  eps: 'f32',
  scale: 'f32',
  add: 'f32',
  number_0: 'f32',
  number_1: 'f32',
  number_2: 'f32',
  number_3: 'f32',
  number_4: 'f32',
  number_5: 'f32',
  number_6: 'f32',
  number_7: 'f32',
} as const;

function formsFor(scored: number): readonly RouteForm[] {
  return ROUTE_FORMS.filter(({ capacity }) => scored <= capacity);
}

/** Every variant of the kernel for a rule that supports this number of scores. */
export function routeVariants(rule: RouteRule, outputs: readonly RouteOutput[], scored = 1): RouteVariant[] {
  const { stages } = routeStages(rule, outputs);
  return formsFor(scored).map((form) => ({ ...form, ...stages }));
}

/** Every variant of `routeScores` for a rule that supports this number of scores. */
export function routeScoresVariants(
  rule: Pick<RouteRule, 'steps' | 'layerVectors'>,
  outputs: readonly RouteOutput[],
  scored = 1,
): RouteScoresVariant[] {
  const { stages } = scoreStages(rule, outputs);
  return formsFor(scored).map((form) => ({ ...form, ...stages }));
}

/** `route/softmax/value,fixed,none/affinity,sum/lane4/256`: the stages that differ from the plainest rule are named. */
function keyOf(name: string, { form, wg, capacity, ...stages }: RouteForm & RouteStages): string {
  const named = Object.entries(stages)
    .filter(([, value]) => value !== '')
    .map(([stage, value]) => `${stage}=${value}`);
  return `${name}/${named.join(',')}/${form}${wg}/${capacity}`;
}

function gridOf({ tokens, scored }: RouteSize, { form, wg, capacity }: RouteForm) {
  invariant(scored <= capacity, () => `route: ${scored} scores, at most ${capacity} in this variant`);
  return foldGrid(form === 'lane' ? Math.ceil(tokens / wg) : tokens);
}

/**
 * Chooses the experts of each token by a routing rule, and computes their weights.
 *
 * scores [tokens, scored] f32, the inputs that the rule names -> ids [tokens, most] u32, weights [tokens, most] f32, and the
 * outputs of the variant
 */
export const route = defineKernel({
  name: 'route',
  bindings: { scores: 'read', ids: 'write', weights: 'write' },
  bindingsOf: (variant: RouteVariant) => routeBindings(variant),
  params: PARAMS,
  variants: [] as RouteVariant[], // those of rules: `routeVariants`; tests list theirs
  parts: (variant) => {
    const row = rowParts(variant, variant);
    const linked = new Set(row.map(({ text }) => text));
    return [
      ...row,
      ...choiceParts(variant, variant).filter(({ text }) => !linked.has(text)),
      render({ name: 'routing/route.wgsl', text: source }, { grouped: variant.groups !== '' }),
    ];
  },
  overrides: () => ({}),
  key: (variant) => keyOf('route', variant),
  grid: gridOf,
});

/**
 * The steps of a routing rule alone, for kernels that read whole sequences.
 *
 * scores [tokens, scored] f32, the inputs that the steps name -> logits or affinities [tokens, scored] f32
 */
export const routeScores = defineKernel({
  name: 'route-scores',
  bindings: { scores: 'read' },
  bindingsOf: (variant: RouteScoresVariant) => routeBindings(variant),
  params: PARAMS,
  variants: [] as RouteScoresVariant[],
  parts: (variant) => [
    ...rowParts(variant, variant),
    { name: 'routing/route-scores.wgsl', text: scoresSource },
  ],
  overrides: () => ({}),
  key: (variant) => keyOf('route-scores', variant),
  grid: gridOf,
});

/** The sizes of a call: those of the layer, and the most routes of a token. */
export interface RouteShape {
  readonly tokens: number;
  readonly experts: number;
  readonly most: number;
}

/** The values of the parameters of `route`. */
export function routeParams(
  rule: RouteRule,
  { tokens, experts, most }: RouteShape,
): ParamValues<typeof route> {
  const { select, weigh, nullExperts = 0 } = rule;
  const scored = experts + nullExperts;
  const { choice, groups } = select;
  invariant(scored >= 1 && scored <= MAX_ROUTE_SCORES, () => `route: ${scored} scores`);
  invariant(!groups || experts % groups.count === 0, () => `route: ${experts} experts in groups`);
  return {
    ...plainParams,
    ...{ tokens, experts, scored, most, limit: scored },
    ...(groups ? { groups: groups.count, keep: groups.keep } : {}),
    ...choiceParams(choice),
    eps: weigh.epsilon ?? 0,
    scale: weigh.scale ?? 1,
    add: weigh.add ?? 0,
    ...numberParams(routeStages(rule).numbers),
  };
}

/** The values of the parameters of `routeScores`. */
export function routeScoresParams(
  rule: Pick<RouteRule, 'steps' | 'nullExperts'>,
  { tokens, experts }: Pick<RouteShape, 'tokens' | 'experts'>,
): ParamValues<typeof routeScores> {
  const scored = experts + (rule.nullExperts ?? 0);
  return { ...plainParams, tokens, experts, scored, ...numberParams(scoreStages(rule, []).numbers) };
}

const plainParams: ParamValues<typeof route> = {
  ...{ tokens: 0, experts: 0, scored: 0, most: 0, limit: 0, least: 0, groups: 1, keep: 1, given: 0 },
  ...{ p: 1, entropy_index: 0, entropy_threshold: 0, eps: 0, scale: 1, add: 0 },
  ...{
    number_0: 0,
    number_1: 0,
    number_2: 0,
    number_3: 0,
    number_4: 0,
    number_5: 0,
    number_6: 0,
    number_7: 0,
  },
};

function choiceParams(choice: RouteRule['select']['choice']): Partial<ParamValues<typeof route>> {
  switch (choice.kind) {
    case 'topK':
      return { limit: choice.k, least: choice.least ?? 0 };
    case 'topP': {
      const { p, atLeast: least, atMost: limit, keepAllAbove: all } = choice;
      const entropy = all ? { entropy_index: all.index, entropy_threshold: all.threshold } : {};
      return { p, least, limit, ...entropy };
    }
    case 'topOfEach':
      return { limit: choice.groups };
    case 'given':
      return { given: choice.places };
    default:
      return {};
  }
}

function numberParams(numbers: readonly number[]): Partial<ParamValues<typeof route>> {
  return Object.fromEntries(numbers.map((value, index) => [`number_${index}`, value]));
}
