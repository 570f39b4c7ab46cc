import { activate } from '../core/activation.reference.ts';

/** A page of one-neuron experts; undefined if it is absent. */
export type AtomicPage = { readonly in: Float32Array; readonly out: Float32Array } | undefined; // [pageExperts, hidden]

/** Sizes, activation and pages of one-neuron experts. */
export interface AtomicExpertsOptions {
  readonly tokens: number;
  readonly hidden: number;
  readonly topK: number;
  readonly act: number;
  readonly pageExperts: number;
  /** Page by number: expert `id` is row id % pageExperts of page floor(id / pageExperts). */
  readonly page: (number: number) => AtomicPage;
}

/**
 * y[t, :] = sum over k of weights[t, k] * act(in_e . x[t, :]) * out_e for e = ids[t, k], in rank order (PEER, He 2024).
 *
 * x [tokens, hidden], ids [tokens, topK], weights [tokens, topK] -> y [tokens, hidden]
 */
export function atomicExpertsReference(
  x: Float32Array,
  ids: Uint32Array,
  weights: Float32Array,
  options: AtomicExpertsOptions,
): Float32Array {
  const { tokens, hidden, topK, pageExperts } = options;
  const activations = atomicScoresReference(x, ids, options);
  const find = remember(options.page);
  const y = new Float32Array(tokens * hidden);
  const sums = new Float64Array(hidden);
  for (let t = 0; t < tokens; t += 1) {
    sums.fill(0);
    for (let k = 0; k < topK; k += 1) {
      const id = ids[t * topK + k]!;
      const page = find(Math.floor(id / pageExperts));
      if (!page) continue;
      const gain = weights[t * topK + k]! * activations[t * topK + k]!;
      const base = (id % pageExperts) * hidden;
      for (let c = 0; c < hidden; c += 1) sums[c] = sums[c]! + gain * page.out[base + c]!;
    }
    y.set(sums, t * hidden);
  }
  return y;
}

/** act(in_e . x[t, :]) for e = ids[t, k]: [tokens, topK]. */
export function atomicScoresReference(
  x: Float32Array,
  ids: Uint32Array,
  { tokens, hidden, topK, act, pageExperts, page: find }: AtomicExpertsOptions,
): Float32Array {
  const pageOf = remember(find);
  const activations = new Float32Array(tokens * topK);
  for (let t = 0; t < tokens; t += 1) {
    for (let k = 0; k < topK; k += 1) {
      const id = ids[t * topK + k]!;
      const page = pageOf(Math.floor(id / pageExperts));
      if (!page) continue;
      const base = (id % pageExperts) * hidden;
      let sum = 0;
      for (let c = 0; c < hidden; c += 1) sum += x[t * hidden + c]! * page.in[base + c]!;
      activations[t * topK + k] = activate(act, sum);
    }
  }
  return activations;
}

function remember(find: (page: number) => AtomicPage): (page: number) => AtomicPage {
  const known = new Map<number, AtomicPage>();
  return (number) => {
    if (!known.has(number)) known.set(number, find(number));
    return known.get(number);
  };
}
