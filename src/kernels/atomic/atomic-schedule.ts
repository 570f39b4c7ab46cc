import type { AdapterClass } from '../../gpu/adapter-class.ts';

/** Order in which one-neuron experts are computed: token by token, or sorted by expert. */
export type AtomicSchedule = 'tokens' | 'experts';

/** The work of one step, from which the schedule is chosen. */
export interface AtomicWork {
  readonly tokens: number;
  readonly topK: number; // experts per token, over all heads
  readonly experts: number;
  /** On software adapters, a load costs the same from any memory. Default: hardware. */
  readonly adapterClass?: AdapterClass;
}

/** Minimum number of pairs per active expert for sorting: each vector is then read at most a quarter as often. */
const MIN_PAIRS_PER_EXPERT = 4;

/**
 * Expected number of experts with at least one pair under uniform routing: experts * (1 - (1 - 1/experts)^pairs). Real
 * routes are skewed, so fewer experts are active, with more pairs each.
 */
export function activeExperts({ tokens, topK, experts }: AtomicWork): number {
  return experts * -Math.expm1(tokens * topK * Math.log1p(-1 / Math.max(2, experts)));
}

/**
 * Chooses by the number of pairs that share a vector. Token by token, every pair reads its own input vector: tokens *
 * topK vectors. By expert, an input vector is read once and the inputs of its tokens are gathered from a cache; this adds
 * the sort (nine dispatches over the pairs) and saves nothing while most active experts have one pair. Software adapters
 * never gain: the cost of a load is its instructions, from any memory (SwiftShader, 20 pairs per expert, hidden 1024, f16:
 * scores by expert take 0.8 to 1.1 times those by token, and the sort a third as long again).
 */
export function chooseSchedule(work: AtomicWork): AtomicSchedule {
  if (work.adapterClass === 'software') return 'tokens';
  return (work.tokens * work.topK) / activeExperts(work) >= MIN_PAIRS_PER_EXPERT ? 'experts' : 'tokens';
}
