/** Divides the neurons of dense MLPs by what they do with texts, as CMoE does (arXiv:2502.04416). */
import { invariant } from '../../errors.ts';
import type { GluActivationIo } from '../../graph/ops/basic.ts';
import type { Drafted } from '../load/planning.ts';
import type { Carving } from '../load/reshaped-model.ts';
import type { Calibration, CalibrationOptions } from './calibrate.ts';
import { carvable, type Division } from './carve.ts';

/** Of a token, the neurons with the largest activations count as active: this share of them, and at least so many. */
const ACTIVE_SHARE = 1 / 64;
const LEAST_ACTIVE = 10;

/** Rounds of clustering at most. */
const ROUNDS = 8;

/** For each neuron of an MLP, the tokens for which it is active, in their order. */
export interface Activity {
  readonly tokens: number;
  readonly active: readonly (readonly number[])[];
}

/**
 * Divides the neurons of each MLP: the most often active ones are shared, the others are clustered by the tokens for which they are active.
 *
 * @param texts - token ids
 * @throws {AtomoeError} as `carvable`; the signal's reason
 */
export async function divideByUse(
  drafted: Drafted,
  carving: Carving,
  calibration: Calibration,
  { texts, ...options }: { readonly texts: readonly (readonly number[])[] } & CalibrationOptions,
): Promise<Division[]> {
  const mlps = carvable(drafted, carving);
  const active = mlps.map(({ width }) => Array.from({ length: width }, (): number[] => []));
  let seen = 0;
  await calibration.run(
    texts,
    ({ nodes }, get, tokens) => {
      const found = nodes.filter(({ op }) => op === 'glu-activation');
      invariant(found.length === mlps.length, () => `${found.length} activations of ${mlps.length} MLPs`);
      for (const [index, { io }] of found.entries())
        addActive(active[index] ?? [], get((io as GluActivationIo).y), seen, tokens);
      seen += tokens;
    },
    options,
  );
  return active.map((lists) => divide({ tokens: seen, active: lists }, carving));
}

/** Notes for each token the neurons with the largest absolute activations [tokens, width]; on ties the lower ones. */
function addActive(lists: number[][], h: ArrayLike<number>, before: number, tokens: number): void {
  const width = lists.length;
  const count = Math.min(width, Math.max(LEAST_ACTIVE, Math.ceil(ACTIVE_SHARE * width)));
  for (let token = 0; token < tokens; token += 1) {
    const sizes = Float64Array.from(lists, (_, neuron) => Math.abs(h[token * width + neuron] ?? 0));
    for (const neuron of largestFirst(sizes).slice(0, count)) lists[neuron]?.push(before + token);
  }
}

/** Divides the neurons of one MLP. */
export function divide({ tokens, active }: Activity, { experts, shared: sharedExperts }: Carving): Division {
  const each = active.length / experts;
  const order = largestFirst(active.map(({ length }) => length));
  const shared = order.slice(0, sharedExperts * each);
  const rest = order.slice(shared.length);
  const ascending = (neurons: readonly number[]) => neurons.toSorted((a, b) => a - b);
  // The most active of the rest begin the clusters.
  let centres = rest.slice(0, experts - sharedExperts).map((neuron) => meanOf([neuron], { tokens, active }));
  let groups: number[][] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const next = assign(rest, distancesTo(centres, active), centres.length, each);
    const isSame = next.every((group, e) => group.join() === groups[e]?.join());
    if (isSame) break;
    groups = next;
    centres = groups.map((group) => meanOf(group, { tokens, active }));
  }
  const distance = distancesTo(centres, active);
  const leaders = groups.map((group, e) =>
    group.reduce((best, neuron) => (distance(neuron, e) < distance(best, e) ? neuron : best)),
  );
  return { shared: ascending(shared), routed: groups.map(ascending), leaders };
}

function largestFirst(values: ArrayLike<number>): number[] {
  const ids = Array.from({ length: values.length }, (_, id) => id);
  return ids.toSorted((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b);
}

/** The mean of what neurons do with tokens [tokens], 1 where one is active and 0 where not. */
function meanOf(neurons: readonly number[], { tokens, active }: Activity): Float64Array {
  const mean = new Float64Array(tokens);
  for (const neuron of neurons)
    for (const token of active[neuron] ?? []) mean[token] = (mean[token] ?? 0) + 1 / neurons.length;
  return mean;
}

/** Squared distances of neurons to centres. */
function distancesTo(centres: readonly Float64Array[], active: Activity['active']) {
  const squares = centres.map((centre) => centre.reduce((sum, value) => sum + value * value, 0));
  return (neuron: number, e: number): number => {
    let sum = squares[e] ?? 0;
    for (const token of active[neuron] ?? []) sum += 1 - 2 * (centres[e]?.[token] ?? 0);
    return sum;
  };
}

/**
 * Gives each neuron to a near centre, as many to each: those that lose most without their nearest choose first. The best assignment, which
 * CMoE has, takes time of the neurons cubed and memory of their square: 1 GB for an MLP of eleven thousand.
 */
function assign(
  neurons: readonly number[],
  distance: (neuron: number, e: number) => number,
  count: number,
  each: number,
): number[][] {
  const all = Array.from({ length: count }, (_, e) => e);
  const wishes = neurons.map((neuron) => {
    const distances = all.map((e) => distance(neuron, e));
    const order = all.toSorted((a, b) => (distances[a] ?? 0) - (distances[b] ?? 0) || a - b);
    const [first = 0, second = first] = order;
    return { neuron, order, regret: (distances[second] ?? 0) - (distances[first] ?? 0) };
  });
  const groups = all.map((): number[] => []);
  for (const { neuron, order } of wishes.toSorted((a, b) => b.regret - a.regret || a.neuron - b.neuron)) {
    const free = order.map((e) => groups[e]).find((group) => group !== undefined && group.length < each);
    free?.push(neuron);
  }
  return groups;
}
