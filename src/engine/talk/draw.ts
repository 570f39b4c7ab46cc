import { invariant } from '../../errors.ts';
import type { Candidates } from '../../graph/ops/sample.ts';

/** How a token is drawn from logits that the repetition penalty has already seen to. */
export interface DrawOptions {
  readonly temperature: number; // the one that the record was made with; 0: the largest logit
  readonly topK: number; // 0: off
  readonly topP: number; // 1: off
  readonly minP: number; // 0: off
}

/** `insufficient`: the answer depends on logits that are no candidates; draw again from all of them. */
export type Draw =
  | { readonly kind: 'token'; readonly id: number; readonly logprob: number }
  | { readonly kind: 'insufficient' };

/**
 * Draws a token: temperature, then top-k, top-p, min-p, then the inverse of the distribution function over what is
 * left, the likeliest token first. Gives what it would give from all logits, or says that it cannot.
 *
 * @param uniform in [0, 1)
 */
export function draw(candidates: Candidates, options: DrawOptions, uniform: number): Draw {
  const { ids, logits, sum } = candidates;
  const best = logits[0] ?? 0;
  const token = (rank: number): Draw => ({
    kind: 'token',
    id: ids[rank] ?? 0,
    logprob: (logits[rank] ?? 0) - best - Math.log(sum),
  });
  if (options.temperature === 0) return token(0);
  const weights = weightsOf(candidates, options);
  const pool = poolOf(candidates, weights, options);
  if (!pool) return { kind: 'insufficient' };
  const kept = keep(weights.subarray(0, pool.count), pool, options);
  const rank = choose(weights, kept, uniform);
  return rank === undefined ? { kind: 'insufficient' } : token(rank);
}

/** Whether the candidates suffice for every number that a token may be drawn by. */
export function isCovered(candidates: Candidates, options: DrawOptions): boolean {
  if (options.temperature === 0) return true;
  const weights = weightsOf(candidates, options);
  const pool = poolOf(candidates, weights, options);
  if (!pool) return false;
  const { count, least, most } = keep(weights.subarray(0, pool.count), pool, options);
  return least === most && most <= total(weights.subarray(0, count));
}

function weightsOf({ logits }: Candidates, { temperature }: DrawOptions): Float64Array<ArrayBuffer> {
  const [best = 0] = logits;
  return Float64Array.from(logits, (logit) => Math.exp((logit - best) / temperature));
}

/** What top-k leaves: how many candidates, what all of it weighs, and whether the candidates are all of it. */
interface Pool {
  readonly count: number;
  readonly weight: number;
  readonly whole: boolean;
}

function poolOf(
  { ids, vocab, temperedSum }: Candidates,
  weights: Float64Array,
  { topK }: DrawOptions,
): Pool | undefined {
  if (topK > 0 && topK < vocab) {
    if (topK > ids.length) return undefined; // the weight of the best k is unknown
    const count = topK;
    return { count, weight: total(weights.subarray(0, count)), whole: true };
  }
  const whole = ids.length === vocab;
  return { count: ids.length, weight: whole ? total(weights) : temperedSum, whole };
}

/** What is left to draw from: the first `count` candidates, and between `least` and `most` of weight. */
interface Kept {
  readonly count: number;
  readonly least: number;
  readonly most: number;
}

/** Top-p keeps a token while those before it hold less than p; min-p while it has a share of the best one's weight. */
function keep(weights: Float64Array, pool: Pool, { topP, minP }: DrawOptions): Kept {
  const wanted = topP < 1 ? topP * pool.weight : Infinity;
  let held = 0;
  for (const [rank, weight] of weights.entries()) {
    const isOut = rank > 0 && (held >= wanted || weight < minP); // the best weighs 1
    if (isOut) return { count: rank, least: held, most: held };
    held += weight;
  }
  if (pool.whole || held >= wanted) return { count: weights.length, least: held, most: held };
  // Tokens beyond the candidates may be kept too. None weighs more than the last candidate, all together no more than
  // the rest of the pool, and top-p stops at the first that fills it. Where min-p cuts, nothing but `held` may be left.
  const last = weights.at(-1) ?? 0;
  const most = Math.max(held, Math.min(pool.weight, wanted + last));
  const least = minP > 0 ? held : Math.max(held, Math.min(pool.weight, wanted));
  return { count: weights.length, least, most };
}

/** The candidate at which the running weight passes uniform * weight kept, if that is sure. */
function choose(weights: Float64Array, { count, least, most }: Kept, uniform: number): number | undefined {
  let held = 0;
  for (let rank = 0; rank < count; rank += 1) {
    const before = held;
    held += weights[rank] ?? 0;
    if (uniform * most < held) return uniform * least >= before ? rank : undefined;
  }
  // Rounding may leave the sum a hair short of what is kept: only then is the last one meant.
  return most === least && most <= held ? count - 1 : undefined;
}

function total(weights: Float64Array): number {
  let sum = 0;
  for (const weight of weights) sum += weight;
  return sum;
}

const ID_RANGE = 2 ** 20; // ids below it and 32 bits of logit fit a double exactly

/**
 * All logits as candidates: what a draw needs when the short list does not suffice. The logits must be finite.
 *
 * @param among - ids to which the candidates are limited, as if there were no others; default: all
 */
export function allCandidates(
  logits: Float32Array,
  temperature: number,
  among?: ArrayLike<number>,
): Candidates {
  invariant(logits.length <= ID_RANGE, () => `${logits.length} logits, at most ${ID_RANGE} can be ordered`);
  const own = among ? Float32Array.from(among, (id) => logits[id] ?? 0) : logits;
  const positive = Float32Array.from(own, (logit) => logit + 0); // minus zero equals zero, so it must sort alike
  const bits = new Uint32Array(positive.buffer);
  // Whole numbers that rise as logits fall, and with the id among equals.
  const keyOf = (word: number, at: number) => fallingKey(word) * ID_RANGE + (among?.[at] ?? at);
  const keys = Float64Array.from(bits, keyOf).sort();
  const ids = Uint32Array.from(keys, (key) => key % ID_RANGE);
  const sorted = Float32Array.from(ids, (id) => logits[id] ?? 0);
  const best = sorted[0] ?? 0;
  let sum = 0;
  let temperedSum = 0;
  for (const logit of sorted) {
    sum += Math.exp(logit - best);
    temperedSum += Math.exp((logit - best) / (temperature || 1));
  }
  return { ids, logits: sorted, vocab: ids.length, sum, temperedSum };
}

/** 32 bits that order f32 values from the largest down. */
function fallingKey(bits: number): number {
  return bits >= 2 ** 31 ? bits : 2 ** 31 - 1 - bits;
}
