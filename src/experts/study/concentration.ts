/** How unevenly routing uses experts: a few of them may do most of the work, whatever the text (arXiv:2601.03425). */
import { noUse, useOfTrace } from './saliency.ts';
import { unitsOf, type RoutingTrace } from './trace.ts';

/** How uneven the uses of a layer's experts are, or the mean of several layers. */
export interface Concentration {
  readonly gini: number; // Gini coefficient: 0, all alike, to 1, one has all
  readonly topFive: number; // share of the five with most
  readonly half: number; // of the fewest experts that have half of all: their share of the experts
  /** Jaccard index of the experts with most in the first and in the second half of the tokens, as many as a token uses. */
  readonly kept: number;
}

/**
 * The Gini coefficient of values from 0 on: half the mean difference of two of them, over their mean.
 *
 * @returns NaN for zeros only
 */
export function gini(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  let [weighed, sum] = [0, 0];
  sorted.forEach((value, rank) => {
    weighed += (2 * rank + 1 - sorted.length) * value;
    sum += value;
  });
  return weighed / (sorted.length * sum);
}

/** The share of all that the `count` largest values have. */
export function shareOfLargest(values: ArrayLike<number>, count: number): number {
  const sorted = Float64Array.from(values).sort().reverse();
  const sum = (of: Float64Array) => of.reduce((total, value) => total + value, 0);
  return sum(sorted.subarray(0, count)) / sum(sorted);
}

/** The least number of values that have at least a share of all. */
export function fewestWith(values: ArrayLike<number>, share: number): number {
  let count = 1;
  while (count < values.length && shareOfLargest(values, count) < share) count += 1;
  return count;
}

/** The Jaccard index of two sets: what both have, over what either has. */
export function jaccard(a: Iterable<number>, b: Iterable<number>): number {
  const [first, second] = [new Set(a), new Set(b)];
  const both = [...first].filter((each) => second.has(each)).length;
  return both / (first.size + second.size - both);
}

/** Means over the layers of a trace, its warm-up and prompt included. */
export function concentration(trace: RoutingTrace): Concentration {
  const layers = useOfTrace(trace).map(({ uses }, layer) => ({
    gini: gini(uses),
    topFive: shareOfLargest(uses, 5),
    half: fewestWith(uses, 0.5) / uses.length,
    kept: jaccard(mostUsed(trace, layer, 0), mostUsed(trace, layer, 1)),
  }));
  const mean = (of: keyof Concentration) => layers.reduce((sum, each) => sum + each[of], 0) / layers.length;
  return { gini: mean('gini'), topFive: mean('topFive'), half: mean('half'), kept: mean('kept') };
}

/** The experts that a layer uses most in one half of the steps, on ties the lower ids. */
function mostUsed(trace: RoutingTrace, layer: number, half: 0 | 1): number[] {
  const { uses } = noUse(trace.units);
  const middle = trace.steps >> 1;
  for (let step = half * middle; step < (half === 0 ? middle : trace.steps); step += 1)
    for (const unit of unitsOf(trace, step, layer)) uses[unit] = (uses[unit] ?? 0) + 1;
  const ids = [...uses.keys()].sort((a, b) => (uses[b] ?? 0) - (uses[a] ?? 0) || a - b);
  return ids.slice(0, trace.topK);
}
