import { NONE } from '../layer-cache.ts';
import { allUses } from './optimum.ts';
import { startOf, unitsOf, type RoutingTrace } from './trace.ts';

/** Segment routing best performance (SRP) and cache ratio: how far routing stays the same for a while, apart from any policy. */

/** By segment and layer, for each place in the order of uses: how often the segments' units of that place were used. */
function usesByPlace(
  trace: RoutingTrace,
  tokens: number,
): { readonly places: Float64Array; readonly segments: number } {
  const places = new Float64Array(trace.units);
  let segments = 0;
  forEachSegment(trace, tokens, (counts) => {
    segments += 1;
    const sorted = counts.toSorted((a, b) => b - a);
    sorted.forEach((count, place) => (places[place] = (places[place] ?? 0) + count));
  });
  return { places, segments };
}

/** Shows how often each unit is used in each run of `tokens` counted tokens, layer by layer; the counts change after the call. */
function forEachSegment(trace: RoutingTrace, tokens: number, see: (counts: Uint32Array) => void): void {
  for (let layer = 0; layer < trace.layers; layer += 1) {
    const counts = new Uint32Array(trace.units);
    const add = (step: number, sign: number) => {
      for (const unit of unitsOf(trace, step, layer)) counts[unit] = (counts[unit] ?? 0) + sign;
    };
    for (let step = trace.warmUp; step < trace.steps; step += 1) {
      add(step, 1);
      const begin = step - tokens + 1;
      if (begin < trace.warmUp) continue;
      see(counts);
      add(begin, -1);
    }
  }
}

/**
 * The best F1 of a choice of `chosen` units in every segment and layer, SRP(m, c): 2 * matches / (predictions + uses).
 *
 * @param chosen - at most the units of a layer
 * @returns undefined where the trace is shorter than a segment
 */
export function fixedRouting(trace: RoutingTrace, tokens: number, chosen: number): number | undefined {
  if (trace.steps - trace.warmUp < tokens) return undefined;
  const { places, segments } = usesByPlace(trace, tokens);
  const sum = (of: Float64Array) => of.reduce((total, count) => total + count, 0);
  return (2 * sum(places.subarray(0, chosen))) / (segments * chosen * tokens + sum(places));
}

/** The segment routing best performance: how well one fixed choice of units represents a segment of tokens. */
export interface SegmentRouting {
  readonly f1: number; // 2 * matches / (predictions + uses)
  readonly ratio: number; // predictions / uses: the cache that such a choice takes
}

/**
 * In each run of `tokens` counted tokens, all units used at least so and so often are chosen; the threshold is the one
 * with the best F1 over all runs and layers. undefined where the trace is shorter.
 */
export function segmentRouting(trace: RoutingTrace, tokens: number): SegmentRouting | undefined {
  if (trace.steps - trace.warmUp < tokens) return undefined;
  const tally = new Float64Array(tokens + 1); // by count: (run, layer, unit) triples
  forEachSegment(trace, tokens, (counts) => {
    for (const count of counts) tally[count] = (tally[count] ?? 0) + 1;
  });
  return bestThreshold(tally);
}

function bestThreshold(tally: Float64Array): SegmentRouting {
  const tokens = tally.length - 1;
  const uses = tally.reduce((sum, triples, count) => sum + triples * count, 0);
  let best: SegmentRouting = { f1: 0, ratio: 0 };
  let chosen = 0;
  let matches = 0;
  for (let threshold = tokens; threshold >= 1; threshold -= 1) {
    const triples = tally[threshold] ?? 0;
    chosen += triples;
    matches += triples * threshold;
    const f1 = (2 * matches) / (chosen * tokens + uses);
    if (f1 > best.f1) best = { f1, ratio: (chosen * tokens) / uses };
  }
  return best;
}

/**
 * The segment cache best hit rate: of one pool for all layers that loads what is used, and keeps what the next `tokens`
 * tokens, the current one included, use most often; of those used as often, what was used last.
 *
 * @returns the share of uses that hit
 */
export function segmentCache(trace: RoutingTrace, tokens: number, places: number): number {
  const { uses, before, keys } = allUses(trace);
  const first = startOf(trace, trace.warmUp);
  const startAt = (step: number) => startOf(trace, Math.min(step, trace.steps)) - first;
  const pool = new Pool(keys, places);
  for (const key of uses.subarray(0, startAt(trace.warmUp + tokens))) pool.expect(key);
  for (const key of before) pool.touch(key);
  let hits = 0;
  for (let step = trace.warmUp; step < trace.steps; step += 1) {
    for (const key of uses.subarray(startAt(step), startAt(step + 1))) {
      if (pool.use(key)) hits += 1;
    }
    for (const key of uses.subarray(startAt(step + tokens), startAt(step + tokens + 1))) pool.expect(key);
  }
  return hits / uses.length;
}

const STAMPS = 2 ** 32; // above every stamp, so that expected uses decide first

class Pool {
  readonly #keys: Int32Array; // in each place
  readonly #placeOf: Int32Array; // by key
  readonly #scores: Float64Array; // by key: expected uses * STAMPS + when it was used last
  readonly #stamps: Float64Array; // by key
  readonly #lowest: Tournament; // of the places
  #held = 0;
  #clock = 0;

  constructor(keys: number, places: number) {
    this.#keys = new Int32Array(places);
    this.#placeOf = new Int32Array(keys).fill(NONE);
    this.#scores = new Float64Array(keys);
    this.#stamps = new Float64Array(keys);
    this.#lowest = new Tournament(places);
  }

  /** One more use is still to come. */
  expect(key: number): void {
    this.#add(key, STAMPS);
  }

  /** @returns whether the key was held; from now on it is */
  use(key: number): boolean {
    this.#add(key, -STAMPS);
    return this.touch(key);
  }

  touch(key: number): boolean {
    this.#clock += 1;
    this.#add(key, this.#clock - (this.#stamps[key] ?? 0));
    this.#stamps[key] = this.#clock;
    if (this.#placeOf[key] !== NONE) return true;
    if (this.#keys.length === 0) return false;
    const place = this.#held < this.#keys.length ? this.#held++ : this.#evict();
    this.#keys[place] = key;
    this.#placeOf[key] = place;
    this.#lowest.set(place, this.#scores[key] ?? 0);
    return false;
  }

  #add(key: number, change: number): void {
    const score = (this.#scores[key] ?? 0) + change;
    this.#scores[key] = score;
    const place = this.#placeOf[key] ?? NONE;
    if (place !== NONE) this.#lowest.set(place, score);
  }

  #evict(): number {
    const place = this.#lowest.winner();
    this.#placeOf[this.#keys[place] ?? 0] = NONE;
    return place;
  }
}

/** Finds the lowest of scores that change one at a time: each inner node has the lower of its two children. */
class Tournament {
  readonly #leaves: number; // a power of two
  readonly #scores: Float64Array; // [2 * leaves]: the root is 1, the children of n are 2n and 2n + 1

  constructor(players: number) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(1, players)));
    this.#scores = new Float64Array(2 * this.#leaves).fill(Infinity);
  }

  set(player: number, score: number): void {
    let node = this.#leaves + player;
    this.#scores[node] = score;
    for (node >>= 1; node >= 1; node >>= 1)
      this.#scores[node] = Math.min(this.#at(2 * node), this.#at(2 * node + 1));
  }

  /** The first of those with the lowest score. */
  winner(): number {
    let node = 1;
    while (node < this.#leaves) node = this.#at(2 * node) === this.#at(node) ? 2 * node : 2 * node + 1;
    return node - this.#leaves;
  }

  #at(node: number): number {
    return this.#scores[node] ?? Infinity;
  }
}
