import { LayerCache, NONE, type CacheCounters } from '../layer-cache.ts';
import { LOOKAHEAD_TOKENS, type MakePolicy } from '../policy.ts';
import { startOf, unitsOf, type RoutingTrace } from './trace.ts';

/** What a cache did with a trace. Warm-up steps are played, but not counted. */
export interface Replay {
  readonly places: readonly number[]; // by layer
  readonly counters: CacheCounters; // of all layers
  readonly layers: readonly CacheCounters[];
  readonly isHit: Uint8Array; // [uses]: by index into the trace's ids, 1 where the unit was resident
}

/** `ratio` times what one token uses, in all layers together; what does not divide evenly goes to the first layers. */
export function ratioPlaces({ layers, topK, units }: RoutingTrace, ratio: number): number[] {
  const total = Math.floor(ratio * layers * topK + 1e-9); // 1.1 * 10 is 11
  return Array.from({ length: layers }, (_, layer) =>
    Math.min(units, Math.floor(total / layers) + (layer < total % layers ? 1 : 0)),
  );
}

/** The same number of places for every layer, as the engine has them. */
export function uniformPlaces({ layers, units }: RoutingTrace, places: number): number[] {
  return Array<number>(layers).fill(Math.min(units, places));
}

/**
 * Plays a trace through the cache that the engine uses. Where a token needs more units than a layer has places, those
 * left over are used without being kept; the engine itself refuses so few places.
 *
 * @param places - by layer
 * @param seed - of policies that draw
 */
export function replay(
  trace: RoutingTrace,
  makePolicy: MakePolicy,
  places: readonly number[],
  seed = 1,
): Replay {
  const isHit = new Uint8Array(trace.ids.length);
  const layers = Array.from({ length: trace.layers }, (_, layer) => {
    const { units, topK } = trace;
    const policy = makePolicy({ units, topK, layer, seed });
    const cache = new LayerCache(units, places[layer] ?? 0, policy, { mayBypass: true });
    return replayLayer(trace, layer, cache, isHit);
  });
  const total = (of: keyof CacheCounters) => layers.reduce((sum, counters) => sum + counters[of], 0);
  const counters = { hits: total('hits'), misses: total('misses'), evictions: total('evictions') };
  return { places, counters, layers, isHit };
}

function replayLayer(
  trace: RoutingTrace,
  layer: number,
  cache: LayerCache,
  isHit: Uint8Array,
): CacheCounters {
  const { prime, warmUp, steps } = trace;
  const uses = prime?.uses[layer];
  const { policy } = cache;
  const future = policy.expect && new Window(trace, layer);
  if (future) policy.expect?.(future.uses);
  if (prime && uses) cache.prime(uses, prime.tokens);
  let before: CacheCounters = { hits: 0, misses: 0, evictions: 0 };
  for (let step = 0; step < steps; step += 1) {
    if (step === warmUp && warmUp > 0) before = { ...cache.counters };
    const units = unitsOf(trace, step, layer);
    const start = trace.starts[step * trace.layers + layer] ?? 0;
    units.forEach((unit, rank) => {
      isHit[start + rank] = cache.placeOf(unit) === NONE ? 0 : 1;
    });
    if (future) policy.expect?.(future.uses);
    cache.access(units, units.length);
    future?.move(step);
  }
  const { hits, misses, evictions } = cache.counters;
  return {
    hits: hits - before.hits,
    misses: misses - before.misses,
    evictions: evictions - before.evictions,
  };
}

/** How often the next tokens of a trace use each unit of a layer. */
class Window {
  readonly uses: Uint32Array;
  readonly #trace: RoutingTrace;
  readonly #layer: number;

  constructor(trace: RoutingTrace, layer: number) {
    this.#trace = trace;
    this.#layer = layer;
    this.uses = new Uint32Array(trace.units);
    for (let step = 0; step < LOOKAHEAD_TOKENS; step += 1) this.#add(step, 1);
  }

  /** A step is over. */
  move(step: number): void {
    this.#add(step, -1);
    this.#add(step + LOOKAHEAD_TOKENS, 1);
  }

  #add(step: number, sign: number): void {
    if (step >= this.#trace.steps) return;
    for (const unit of unitsOf(this.#trace, step, this.#layer))
      this.uses[unit] = (this.uses[unit] ?? 0) + sign;
  }
}

/** Misses by what would have helped. */
export interface MissKinds {
  readonly compulsory: number; // first use: nothing but a guess
  readonly capacity: number; // more places: the best policy misses it too
  readonly policy: number; // a better policy
}

/** @param best - the replay of `belady` with the same places */
export function missKinds(trace: RoutingTrace, { isHit }: Replay, best: Replay): MissKinds {
  const isSeen = new Uint8Array(trace.layers * trace.units);
  trace.prime?.uses.forEach((uses, layer) =>
    uses.forEach((count, unit) => (isSeen[layer * trace.units + unit] = Math.min(1, count))),
  );
  const kinds = { compulsory: 0, capacity: 0, policy: 0 };
  const counted = startOf(trace, trace.warmUp);
  for (let index = 0; index < trace.steps * trace.layers; index += 1) {
    const end = trace.starts[index + 1] ?? 0;
    for (let use = trace.starts[index] ?? 0; use < end; use += 1) {
      const key = (index % trace.layers) * trace.units + (trace.ids[use] ?? 0);
      if (use >= counted && isHit[use] === 0) {
        if (isSeen[key] === 0) kinds.compulsory += 1;
        else if (best.isHit[use] === 1) kinds.policy += 1;
        else kinds.capacity += 1;
      }
      isSeen[key] = 1;
    }
  }
  return kinds;
}

/** How a replay looks to the one who waits for it. */
export interface Traffic {
  readonly hitRate: number; // share of uses
  readonly bytesPerToken: number; // of loads
  readonly evictionsPerToken: number;
  readonly layerHitRate: number; // share of (token, layer) pairs without a miss
  readonly tokenHitRate: number; // share of tokens without a miss in any layer
}

/** What a replay would have moved, for each token after the warm-up. */
export function traffic(trace: RoutingTrace, { counters, layers, isHit }: Replay): Traffic {
  const tokens = trace.steps - trace.warmUp;
  let hitLayers = 0;
  let hitTokens = 0;
  for (let step = trace.warmUp; step < trace.steps; step += 1) {
    let hits = 0;
    for (let layer = 0; layer < trace.layers; layer += 1) {
      const index = step * trace.layers + layer;
      if (isHit.subarray(trace.starts[index], trace.starts[index + 1]).every((hit) => hit === 1)) hits += 1;
    }
    hitLayers += hits;
    if (hits === trace.layers) hitTokens += 1;
  }
  const bytes = layers.reduce((sum, { misses }, layer) => sum + misses * (trace.unitBytes[layer] ?? 0), 0);
  return {
    hitRate: counters.hits / (counters.hits + counters.misses),
    bytesPerToken: bytes / tokens,
    evictionsPerToken: counters.evictions / tokens,
    layerHitRate: hitLayers / (tokens * trace.layers),
    tokenHitRate: hitTokens / tokens,
  };
}
