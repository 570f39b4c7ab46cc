import { capacityPlaces, type CapacityRule } from './capacity.ts';
import { boundsOf, ROUNDING } from './sequence.ts';

const MASK_LIMIT = -1e37;

/** Sizes of a layer whose tokens choose k experts. */
export interface CapacitySizes {
  readonly tokens: number;
  readonly experts: number;
  readonly k: number;
}

/**
 * Places the choices of each sequence in order of token or rank. A choice that finds its expert full is removed, or after all
 * others goes to the expert with the largest value that has room and not the token. With `fill`, each expert in order of id
 * then takes the tokens of the largest values that it does not have.
 *
 * ids [tokens, k], values [tokens, experts] -> [tokens, places]: the choice of each rank, then of each filled expert; `experts`
 * where there is none
 */
export function capacityReference(
  ids: Uint32Array,
  values: Float32Array,
  offsets: ArrayLike<number> | undefined,
  rule: CapacityRule,
  { tokens, experts, k }: CapacitySizes,
): Uint32Array<ArrayBuffer> {
  const places = capacityPlaces(rule, k, experts);
  const given = new Uint32Array(tokens * places).fill(experts);
  for (const [first, end] of boundsOf(offsets, tokens)) {
    const room = roomOf(rule, end - first, { experts, k });
    const held = Array.from({ length: experts }, () => new Set<number>()); // tokens by expert
    const overflowing: (readonly [t: number, rank: number])[] = [];
    for (const [t, rank] of choices(rule, first, end, k)) {
      const e = ids[t * k + rank]!;
      if (e >= experts) continue;
      if (held[e]!.size >= room) overflowing.push([t, rank]);
      else {
        held[e]!.add(t);
        given[t * places + rank] = e;
      }
    }
    const value = (t: number, e: number) => values[t * experts + e]!;
    const best = (candidates: number[], of: (at: number) => number) =>
      candidates.filter((at) => of(at) > MASK_LIMIT).toSorted((a, b) => of(b) - of(a) || a - b)[0];
    for (const [t, rank] of rule.overflow === 'reroute' ? overflowing : []) {
      const open = [...held.keys()].filter((e) => held[e]!.size < room && !held[e]!.has(t));
      const e = best(open, (at) => value(t, at));
      if (e === undefined) continue;
      held[e]!.add(t);
      given[t * places + rank] = e;
    }
    for (const [e, own] of rule.fill ? held.entries() : []) {
      const all = Array.from({ length: end - first }, (_, index) => first + index);
      while (own.size < room) {
        const t = best(
          all.filter((at) => !own.has(at)),
          (at) => value(at, e),
        );
        if (t === undefined) break;
        own.add(t);
        given[t * places + k + e] = e;
      }
    }
  }
  return given;
}

function roomOf(
  { room }: CapacityRule,
  tokens: number,
  { experts, k }: Pick<CapacitySizes, 'experts' | 'k'>,
): number {
  if ('tokens' in room) return room.tokens;
  return Math.max(1, Math.ceil(((room.factor * tokens * k) / experts) * (1 - ROUNDING)));
}

/** Tokens and ranks in the order in which choices are placed. */
function* choices({ order }: CapacityRule, first: number, end: number, k: number) {
  const count = end - first;
  for (let number = 0; number < count * k; number += 1) {
    yield order === 'rank'
      ? ([first + (number % count), Math.floor(number / count)] as const)
      : ([first + Math.floor(number / k), number % k] as const);
  }
}
