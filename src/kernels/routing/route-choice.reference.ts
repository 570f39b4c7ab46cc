/** Which experts of a row of selection values are chosen, and in which order. */
import { AtomoeError } from '../../errors.ts';
import type { EntropyRule, RouteChoice } from './route-rule.ts';
import { affinityOf, vectorAt, type RouteEntry, type RouteToken } from './route-token.reference.ts';

type ByP = Extract<RouteChoice, { kind: 'topP' }>;

/** The chosen experts in order, null experts included. `values` are -Infinity where nothing may be chosen. */
export function chosenOf(state: RouteToken, values: Float64Array): RouteEntry[] {
  const { choice } = state.rule.select;
  const sorted = () => sortedOf(values);
  switch (choice.kind) {
    case 'topK':
      return placed(sorted().slice(0, limitOf(state, choice)));
    case 'topP':
      return placed(chosenByP(state, choice, sorted(), values));
    case 'positive':
      return placed(sorted());
    case 'all':
      return placed(sorted().toSorted((a, b) => a - b));
    case 'topOfEach':
      return placed(largestOfEach(values, choice.groups));
    case 'ranks': {
      const order = sorted();
      const ranks = Array.from({ length: choice.count }, (_, index) =>
        vectorAt(state, choice.ranks.vector, index, values.length),
      );
      return ranks.flatMap((rank, place) => (rank < order.length ? [{ expert: order[rank]!, place }] : []));
    }
    case 'given':
      return givenOf(state, choice.places);
  }
}

/** The values of the groups [groups], from which the best are kept. */
export function groupValues({ token, experts, inputs, rule }: RouteToken, values: Float64Array): number[] {
  const { count, by } = rule.select.groups!;
  const size = experts / count;
  return Array.from({ length: count }, (_, g) => {
    if (by === 'score') return inputs.group_scores![token * count + g]!;
    const members = values.slice(g * size, (g + 1) * size).toSorted((a, b) => b - a);
    return by === 'max' ? members[0]! : Math.fround(members[0]! + members[1]!);
  });
}

/** All experts that are not masked, by descending value; ties go to the lower id. */
function sortedOf(values: Float64Array): number[] {
  const live = [...values.keys()].filter((e) => values[e] !== -Infinity);
  return live.toSorted((a, b) => values[b]! - values[a]! || a - b);
}

function placed(experts: readonly number[]): RouteEntry[] {
  return experts.map((expert, place) => ({ expert, place }));
}

function limitOf(
  { token, inputs }: RouteToken,
  { k, least }: Extract<RouteChoice, { kind: 'topK' }>,
): number {
  if (least === undefined) return k;
  return Math.min(k, least + Math.floor(inputs.importance![token]! * (k - least + 1)));
}

function chosenByP(state: RouteToken, choice: ByP, order: readonly number[], values: Float64Array): number[] {
  const { p, rule, atLeast, atMost, keepAllAbove } = choice;
  if (keepAllAbove && entropyOf(state, keepAllAbove) > keepAllAbove.threshold) return [...order];
  let sum = 0;
  const above = order.slice(0, atMost).findIndex((e) => (sum += values[e]!) > p);
  const count = above < 0 ? atMost : rule === 'crossing' ? above + 1 : above;
  return order.slice(0, Math.min(Math.max(count, atLeast), atMost));
}

function entropyOf(state: RouteToken, { entropy, index }: EntropyRule): number {
  const affinities = [...state.affinities.keys()].map((e) => affinityOf(state, e)).filter((a) => a > 0);
  const sum = (of: (a: number) => number) => affinities.reduce((total, a) => total + of(a), 0);
  if (entropy === 'shannon') return -sum((a) => a * Math.log(a));
  const powers = sum((a) => a ** index);
  return entropy === 'tsallis' ? (1 - powers) / (index - 1) : Math.log(powers) / (1 - index);
}

function largestOfEach(values: Float64Array, groups: number): number[] {
  const size = values.length / groups;
  return Array.from({ length: groups }, (_, g) => {
    const [best] = sortedOf(values.slice(g * size, (g + 1) * size));
    return best === undefined ? undefined : g * size + best;
  }).filter((expert) => expert !== undefined);
}

function givenOf({ token, inputs, affinities }: RouteToken, places: number): RouteEntry[] {
  const ids = inputs.given_ids!.subarray(token * places, (token + 1) * places);
  return [...ids].flatMap((expert, place) => {
    if (expert >= affinities.length) return [];
    if (affinities[expert] === -Infinity) {
      throw new AtomoeError('bad-input', `token ${token} is given expert ${expert}, which is masked`);
    }
    return [{ expert, place }];
  });
}
