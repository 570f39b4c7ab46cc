/** How much each expert of a layer contributes: what pruning and merging go by. */
import { unitsOf, type RoutingTrace } from './trace.ts';

/** What the experts of one layer did with some tokens. All arrays are [experts]. */
export interface ExpertUse {
  readonly uses: Float64Array; // tokens that chose the expert
  readonly weighed: Float64Array; // sum over them of g |E(x)|, g the expert's weight, |E(x)| the length of its output
  /** Sum over them of g |E(x)| max(0, 1 - cos(h, h + y)), h the stream before the layer and y the sum of its routed experts. */
  readonly turned: Float64Array;
}

/** Nothing is used yet. */
export function noUse(experts: number): ExpertUse {
  const zeros = () => new Float64Array(experts);
  return { uses: zeros(), weighed: zeros(), turned: zeros() };
}

/**
 * How often a trace used each expert, its prompt and its warm-up included; the other sums are 0. A trace has no weights and outputs.
 *
 * @param numbers - of the experts of a model, where the trace has those of the model that it is made of; a unit without one is left out
 */
export function useOfTrace(trace: RoutingTrace, numbers?: readonly (readonly number[])[]): ExpertUse[] {
  return Array.from({ length: trace.layers }, (_, layer) => {
    const all = new Float64Array(trace.units);
    trace.prime?.uses[layer]?.forEach((count, unit) => (all[unit] = count));
    for (let step = 0; step < trace.steps; step += 1)
      for (const unit of unitsOf(trace, step, layer)) all[unit] = (all[unit] ?? 0) + 1;
    const own = numbers?.[layer];
    const uses = own ? Float64Array.from(own, (unit) => all[unit] ?? 0) : all;
    return { ...noUse(uses.length), uses };
  });
}

const SALIENCIES = {
  /** The mean of g |E(x)| over the tokens that chose the expert (REAP, arXiv:2510.13999). */
  reap: ({ uses, weighed }: ExpertUse) => weighed.map((sum, e) => (uses[e] ? sum / uses[e] : 0)),
  /** The sum of g |E(x)| max(0, 1 - cos(h, h + y)) (EASY-EP, arXiv:2504.06792). */
  'easy-ep': ({ turned }: ExpertUse) => turned.slice(),
  /** The number of tokens that chose the expert. */
  usage: ({ uses }: ExpertUse) => uses.slice(),
} as const;

/** A measure of how much an expert contributes. */
export type SaliencyName = keyof typeof SALIENCIES;

/** The names of all measures. */
export const SALIENCY_NAMES = Object.keys(SALIENCIES) as readonly SaliencyName[];

/** The saliency [experts] of the experts of a layer. */
export function saliencyOf(use: ExpertUse, name: SaliencyName): Float64Array {
  return SALIENCIES[name](use);
}

/**
 * The experts with the highest saliency, on ties the lower ids.
 *
 * @param groups - equal groups of consecutive experts, of each of which as many are kept
 * @param count - a multiple of `groups`, at most the number of experts
 * @returns ascending ids
 */
export function mostSalient(saliency: ArrayLike<number>, count: number, groups = 1): number[] {
  const size = saliency.length / groups;
  const kept: number[] = [];
  for (let first = 0; first < saliency.length; first += size) {
    const ids = Array.from({ length: size }, (_, index) => first + index);
    ids.sort((a, b) => (saliency[b] ?? 0) - (saliency[a] ?? 0) || a - b);
    kept.push(...ids.slice(0, count / groups));
  }
  return kept.sort((a, b) => a - b);
}

/**
 * How alike two measures order the experts: Spearman's rank correlation, in -1 to 1, equal values at the mean of their ranks. NaN where
 * all values of one are equal.
 */
export function rankCorrelation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [x, y] = [ranksOf(a), ranksOf(b)];
  const mean = (a.length - 1) / 2;
  const sum = (p: Float64Array, q: Float64Array) =>
    p.reduce((total, rank, index) => total + (rank - mean) * ((q[index] ?? 0) - mean), 0);
  return sum(x, y) / Math.sqrt(sum(x, x) * sum(y, y));
}

function ranksOf(values: ArrayLike<number>): Float64Array {
  const order = Array.from(values, (_, index) => index);
  order.sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const ranks = new Float64Array(values.length);
  for (let from = 0, to = 0; from < order.length; from = to) {
    const value = values[order[from] ?? 0];
    while (to < order.length && values[order[to] ?? 0] === value) to += 1;
    for (const index of order.slice(from, to)) ranks[index] = (from + to - 1) / 2;
  }
  return ranks;
}

/** The share of the kept experts that two measures have in common. */
export function sharedPart(a: readonly number[], b: readonly number[]): number {
  const other = new Set(b);
  return a.filter((id) => other.has(id)).length / a.length;
}
