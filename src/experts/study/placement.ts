/**
 * Orders of the experts in a file by a recorded trace: experts that tokens use together lie side by side, so that one request
 * reads several. Placement by recorded routes is that of MoETuner (arXiv:2502.06643) and ExpertFlow (arXiv:2410.17954), which
 * place experts on devices and in caches; here they are places in a file.
 */
import { placesOf, type UnitOrder } from '../../containers/pack/places.ts';
import { NONE } from '../layer-cache.ts';
import type { Replay } from './simulate.ts';
import { unitsOf, type RoutingTrace } from './trace.ts';

/** Steps of a trace. */
interface Steps {
  readonly from?: number; // default 0
  readonly to?: number; // the first that does not count; default all
}

/** Two units that some tokens use together. */
interface Pair {
  readonly first: number;
  readonly second: number;
  readonly likeness: number;
}

/**
 * Chains the units of each layer by co-activation. Two units are as alike as the Jaccard index of the tokens that use them,
 *
 *     likeness = both / (uses of one + uses of the other - both)
 *
 * From the most alike pair to the least, two units become neighbours unless one of them has two neighbours already, or both are in
 * one chain. Chains follow each other by their uses, most used first. Equal pairs and chains are taken by ids: the same trace gives
 * the same order. Units that no token used come last, by ids.
 */
export function chainedOrder(trace: RoutingTrace, steps: Steps = {}): UnitOrder {
  return Array.from({ length: trace.layers }, (_, layer) => {
    const { uses, pairs } = readUses(trace, layer, steps);
    return ordered(chains(trace.units, pairs), uses);
  });
}

/** The units of each layer by their uses, most used first, on ties by ids: what `chainedOrder` is compared with. */
export function hottestOrder(trace: RoutingTrace, steps: Steps = {}): UnitOrder {
  return Array.from({ length: trace.layers }, (_, layer) => {
    const { uses } = readUses(trace, layer, steps);
    return [...uses.keys()].sort((a, b) => (uses[b] ?? 0) - (uses[a] ?? 0) || a - b);
  });
}

/** How a replay's loads are read. */
export interface Requests {
  readonly loads: number;
  readonly requests: number; // where loads of one token and layer that lie side by side are one
}

/**
 * Counts the requests for the loads of a replay.
 *
 * @param order - undefined: by ids
 * @param mostTogether - units of one request at most
 */
export function requestsOf(
  trace: RoutingTrace,
  { isHit }: Pick<Replay, 'isHit'>,
  order: UnitOrder | undefined,
  { from = trace.warmUp, to = trace.steps, mostTogether = Infinity }: Steps & { mostTogether?: number } = {},
): Requests {
  const places = order && placesOf(order);
  let [loads, requests] = [0, 0];
  for (let index = from * trace.layers; index < to * trace.layers; index += 1) {
    const start = trace.starts[index] ?? 0;
    const used = trace.ids.subarray(start, trace.starts[index + 1]);
    const own = places?.[index % trace.layers];
    const missed = used.filter((_, rank) => isHit[start + rank] === 0).map((unit) => own?.[unit] ?? unit);
    loads += missed.length;
    let together = 0;
    for (const [at, place] of missed.toSorted().entries()) {
      const isNext = at > 0 && together < mostTogether && missed.includes(place - 1);
      together = isNext ? together + 1 : 1;
      if (!isNext) requests += 1;
    }
  }
  return { loads, requests };
}

/** How often a layer uses each unit, the prompt included, and each pair of units, by falling likeness. */
function readUses(trace: RoutingTrace, layer: number, { from = 0, to = trace.steps }: Steps) {
  const { units } = trace;
  const alone = new Float64Array(units);
  const both = new Map<number, number>(); // by first * units + second, first < second
  for (let step = from; step < to; step += 1) {
    const used = unitsOf(trace, step, layer).toSorted();
    for (const [rank, first] of used.entries()) {
      alone[first] = (alone[first] ?? 0) + 1;
      for (const second of used.subarray(rank + 1)) {
        const key = first * units + second;
        both.set(key, (both.get(key) ?? 0) + 1);
      }
    }
  }
  const pairs = [...both].map(([key, count]): Pair => {
    const [first, second] = [Math.floor(key / units), key % units];
    return { first, second, likeness: count / ((alone[first] ?? 0) + (alone[second] ?? 0) - count) };
  });
  pairs.sort((a, b) => b.likeness - a.likeness || a.first - b.first || a.second - b.second);
  const uses = alone.map((count, unit) => count + (trace.prime?.uses[layer]?.[unit] ?? 0));
  return { uses, pairs };
}

/** Joins pairs, in the order given, to chains that fork nowhere and close nowhere. Each unit is in one of them. */
function chains(units: number, pairs: readonly Pair[]): number[][] {
  const chainOf = Array.from({ length: units }, (_, unit) => [unit]); // by either end; wrong for units inside
  const isInside = new Uint8Array(units);
  for (const { first, second } of pairs) {
    const [a, b] = [chainOf[first], chainOf[second]];
    if (!a || !b || a === b || isInside[first] === 1 || isInside[second] === 1) continue;
    if (a[0] === first) a.reverse();
    if (b[0] !== second) b.reverse();
    if (a.length > 1) isInside[first] = 1;
    if (b.length > 1) isInside[second] = 1;
    a.push(...b);
    chainOf[a[0] ?? NONE] = a;
    chainOf[a.at(-1) ?? NONE] = a;
  }
  return [...new Set(chainOf.filter((chain, unit) => isInside[unit] === 0 && chain[0] === unit))];
}

/** Chains one after another, each from its lower end on. */
function ordered(chained: readonly number[][], uses: Float64Array): number[] {
  const ranked = chained.map((chain) => {
    const isReversed = (chain.at(-1) ?? 0) < (chain[0] ?? 0);
    return {
      units: isReversed ? chain.toReversed() : chain,
      uses: chain.reduce((sum, unit) => sum + (uses[unit] ?? 0), 0),
    };
  });
  ranked.sort((a, b) => b.uses - a.uses || (a.units[0] ?? 0) - (b.units[0] ?? 0));
  return ranked.flatMap(({ units }) => units);
}
