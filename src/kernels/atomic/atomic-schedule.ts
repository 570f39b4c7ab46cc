import type { AdapterClass } from '../../gpu/adapter-class.ts';

/** How one-neuron experts are computed: token by token, or sorted by expert first. */
export type AtomicSchedule = 'tokens' | 'experts';

/** The work of one step, by which the schedule is chosen. */
export interface AtomicWork {
  readonly tokens: number;
  readonly topK: number; // experts of a token, all heads together
  readonly experts: number;
  /** On a software adapter a load costs the same from wherever it comes. Default: hardware. */
  readonly adapterClass?: AdapterClass;
}

/** Pairs per active expert from which sorting pays: a vector is then read a quarter as often. */
const MIN_PAIRS_PER_EXPERT = 4;

/**
 * Experts that at least one pair chose, were all equally likely: each is missed by all pairs with probability
 * (1 - 1/experts)^pairs. Real routes are skewed, so fewer are active, and each has more pairs.
 */
export function activeExperts({ tokens, topK, experts }: AtomicWork): number {
  return experts * -Math.expm1(tokens * topK * Math.log1p(-1 / Math.max(2, experts)));
}

/**
 * Chooses by the pairs that share a vector. Token by token, every pair reads its own input vector: tokens * topK of them.
 * By expert, an input vector is read once and the inputs of its tokens are gathered instead, which are in a cache; that
 * costs the sort, nine dispatches over the pairs, and saves nothing while most active experts have one pair. Software adapters
 * never gain: there a load is instructions, whatever memory it reaches (SwiftShader, 20 pairs per expert, hidden 1024, f16:
 * scores by expert take 0.8 to 1.1 times those by token, and the sort a third as long again).
 */
export function chooseSchedule(work: AtomicWork): AtomicSchedule {
  if (work.adapterClass === 'software') return 'tokens';
  return (work.tokens * work.topK) / activeExperts(work) >= MIN_PAIRS_PER_EXPERT ? 'experts' : 'tokens';
}
