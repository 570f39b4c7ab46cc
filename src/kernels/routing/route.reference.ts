/** The specification of the kernel `route`: plain loops in double precision, one token after the other. */
import { AtomoeError } from '../../errors.ts';
import { chosenOf, groupValues } from './route-choice.reference.ts';
import { droppedOf } from './route-drop.reference.ts';
import { stepsBeforeLogits, type RouteRule, type RouteStep } from './route-rule.ts';
import { affinityOf, vectorAt, type RouteInputs, type RouteToken } from './route-token.reference.ts';
import { runStep } from './route-steps.reference.ts';
import { weightsOf } from './route-weigh.reference.ts';

/** Sizes of the layer. */
export interface RouteSizes {
  readonly tokens: number;
  readonly experts: number;
  readonly most: number;
}

/** Routes, and the values that programs may write besides. Masked values are MASKED; masked affinities 0. */
export interface RouteResult {
  readonly ids: Uint32Array<ArrayBuffer>; // [tokens, most]
  readonly weights: Float32Array<ArrayBuffer>; // [tokens, most]
  readonly logits: Float32Array<ArrayBuffer>; // [tokens, scored]
  readonly affinities: Float32Array<ArrayBuffer>; // [tokens, scored]
  readonly values: Float32Array<ArrayBuffer>; // [tokens, scored]
  readonly largest: Float32Array<ArrayBuffer>; // [tokens]
}

const MASKED = -3e38;
const MASK_LIMIT = -1e37; // at and below: masked

/**
 * @throws {AtomoeError} non-finite - NaN among the scores; bad-input - more entries than `most`, or a masked one that was given
 */
export function routeReference(
  scores: Float32Array,
  rule: RouteRule,
  inputs: RouteInputs,
  { tokens, experts, most }: RouteSizes,
): RouteResult {
  const scored = experts + (rule.nullExperts ?? 0);
  const floats = (count: number) => new Float32Array(tokens * count);
  const result = {
    ids: new Uint32Array(tokens * most).fill(experts),
    weights: floats(most),
    ...{ logits: floats(scored), affinities: floats(scored), values: floats(scored), largest: floats(1) },
  };
  for (let token = 0; token < tokens; token += 1) {
    const row = scores.subarray(token * scored, (token + 1) * scored);
    const state = transformed(row, { token, experts, inputs, rule });
    const values = selectionValues(state);
    const at = token * scored;
    result.logits.set(state.logits.map(finite), at);
    result.affinities.set(
      state.affinities.map((_, e) => affinityOf(state, e)),
      at,
    );
    result.values.set(values.map(finite), at);
    result.largest[token] = Math.max(...state.affinities.map((_, e) => affinityOf(state, e)));
    const chosen = chosenOf(state, values);
    const kept = droppedOf(state, chosen);
    if (kept.length > most) {
      throw new AtomoeError(
        'bad-input',
        `token ${token} has ${kept.length} experts; \`most\` allows ${most}`,
      );
    }
    result.ids.set(
      kept.map(({ expert }) => expert),
      token * most,
    );
    result.weights.set(weightsOf(state, chosen, kept, most), token * most);
  }
  return result;
}

/** The logits and affinities of the steps alone. */
export function routeScoresReference(
  scores: Float32Array,
  rule: Pick<RouteRule, 'steps' | 'nullExperts' | 'layerVectors'>,
  inputs: RouteInputs,
  sizes: Omit<RouteSizes, 'most'>,
): Pick<RouteResult, 'logits' | 'affinities' | 'largest'> {
  const select = { choice: { kind: 'all' } } as const;
  return routeReference(scores, { ...rule, select, weigh: {} }, inputs, { ...sizes, most: sizes.experts });
}

function transformed(
  row: Float32Array,
  given: Pick<RouteToken, 'token' | 'experts' | 'inputs' | 'rule'>,
): RouteToken {
  if (row.some(Number.isNaN)) {
    throw new AtomoeError('non-finite', `NaN among the router's scores of token ${given.token}`);
  }
  const isLive = (score: number) => Number.isFinite(score) && score > MASK_LIMIT;
  const values = Float64Array.from(row, (score) => (isLive(score) ? score : -Infinity));
  const { steps, logits: source } = given.rule;
  const first = stepsBeforeLogits(steps);
  const run = (step: RouteStep) => runStep(values, step, given);
  steps.slice(0, first).forEach(run);
  const at = given.token * row.length;
  const logits =
    source === 'given'
      ? Float64Array.from(given.inputs.given_logits!.subarray(at, at + row.length))
      : values.slice();
  steps.slice(first).forEach(run);
  return { ...given, logits, affinities: values };
}

/** v [scored]: what is compared, in single precision, as the kernel does. -Infinity where nothing may be chosen. */
function selectionValues(state: RouteToken): Float64Array {
  const { rule, logits, affinities } = state;
  const { by = 'affinity', bias, groups, choice } = rule.select;
  const compared = by === 'logits' ? logits : affinities;
  const values = affinities.map((affinity, e) => {
    if (affinity === -Infinity) return -Infinity;
    const value = Math.fround(compared[e]!);
    const biased = bias ? Math.fround(value + vectorAt(state, bias.vector, e, affinities.length)) : value;
    return choice.kind === 'positive' && !(biased > 0) ? -Infinity : biased;
  });
  if (!groups) return values;
  const size = state.experts / groups.count;
  const worth = groupValues(state, values);
  const isKept = (g: number) =>
    worth.filter((other, index) => other > worth[g]! || (other === worth[g] && index < g)).length <
    groups.keep;
  return values.map((value, e) => (isKept(Math.floor(e / size)) ? value : -Infinity));
}

function finite(value: number): number {
  return value === -Infinity ? MASKED : value;
}
