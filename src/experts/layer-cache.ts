import { Lowest } from './lowest.ts';
import type { Policy } from './policy.ts';

/** No unit, or no place. */
export const NONE = -1;

/** What happened in a cache, counted. */
export interface CacheCounters {
  hits: number;
  misses: number;
  evictions: number;
}

/**
 * Which units of one layer are in its places. Pure bookkeeping: the engine and the simulator run the same code, so
 * their counts are the same. Allocates nothing after construction.
 */
export class LayerCache {
  readonly units: number;
  readonly places: number;
  readonly policy: Policy;
  readonly counters: CacheCounters = { hits: 0, misses: 0, evictions: 0 };
  /** After `access` or `prime`: which units are to be loaded, where, and what lay there (or NONE). */
  readonly loads: { readonly unit: Int32Array; readonly place: Int32Array; readonly evicted: Int32Array };
  readonly #placeOf: Int32Array; // by unit
  readonly #unitAt: Int32Array; // by place
  readonly #pinned: Float64Array; // by unit: the step that pinned it last
  readonly #mayBypass: boolean;
  readonly #room: Lowest; // places
  #step = 0;

  /** @param options - `mayBypass`: a token may use more units than there are places; those left over get none */
  constructor(
    units: number,
    places: number,
    policy: Policy,
    { mayBypass = false }: { readonly mayBypass?: boolean } = {},
  ) {
    this.units = units;
    this.places = places;
    this.policy = policy;
    this.#mayBypass = mayBypass;
    this.#room = new Lowest(places);
    this.#placeOf = new Int32Array(units).fill(NONE);
    this.#unitAt = new Int32Array(places).fill(NONE);
    this.#pinned = new Float64Array(units);
    this.loads = {
      unit: new Int32Array(units),
      place: new Int32Array(units),
      evicted: new Int32Array(units),
    };
  }

  placeOf(unit: number): number {
    return this.#placeOf[unit] ?? NONE;
  }

  unitAt(place: number): number {
    return this.#unitAt[place] ?? NONE;
  }

  /**
   * One token uses `units[0..count)`, in rank order, each once: hits first, then a place for each miss, whose unit is
   * resident from now on. The token's own units are never evicted.
   *
   * @returns how many loads there are in `loads`
   */
  access(units: Uint32Array, count: number): number {
    if (count > this.places && !this.#mayBypass) throw new Error(`${count} units for ${this.places} places`);
    this.#step += 1;
    this.policy.begin(units, count);
    let hits = 0;
    for (let rank = 0; rank < count; rank += 1) {
      const unit = units[rank] ?? 0;
      this.#pinned[unit] = this.#step;
      if (this.#placeOf[unit] === NONE) continue;
      hits += 1;
      this.policy.use(unit);
    }
    this.counters.hits += hits;
    this.counters.misses += count - hits;
    if (hits === count) return 0;
    this.#makeRoom(count - hits);
    let loads = 0;
    for (let rank = 0; rank < count; rank += 1) {
      const unit = units[rank] ?? 0;
      if (this.#placeOf[unit] !== NONE) continue;
      if (this.#load(unit, loads)) loads += 1;
      this.policy.use(unit);
    }
    return loads;
  }

  /**
   * Many tokens at once: `uses[unit]` of `tokens` used it. Fills the places with the used units of the highest score,
   * as far as those are above what is there. Counts as neither hits nor misses.
   *
   * @returns how many loads there are in `loads`
   */
  prime(uses: Uint32Array, tokens: number): number {
    this.#step += 1;
    this.policy.observe(uses, tokens);
    const score = (unit: number) => this.policy.score(unit);
    const wanted = [...uses.keys()].filter((unit) => uses[unit] || this.#placeOf[unit] !== NONE);
    wanted.sort((a, b) => score(b) - score(a) || a - b);
    wanted.length = Math.min(wanted.length, this.places);
    for (const unit of wanted) this.#pinned[unit] = this.#step;
    const absent = wanted.filter((unit) => this.#placeOf[unit] === NONE);
    this.#makeRoom(absent.length);
    let loads = 0;
    for (const unit of absent) if (this.#load(unit, loads)) loads += 1;
    return loads;
  }

  /** Whether a unit can come without another one leaving. */
  get hasRoom(): boolean {
    return this.#unitAt.includes(NONE);
  }

  /** The unit without a place that has the highest score, of several the first of `order`; NONE where all have a place. */
  hottestAbsent(order: Iterable<number> = this.#placeOf.keys()): number {
    let [hottest, highest] = [NONE, -Infinity];
    for (const unit of order) {
      if (this.placeOf(unit) !== NONE) continue;
      const score = this.policy.score(unit);
      if (score > highest) [hottest, highest] = [unit, score];
    }
    return hottest;
  }

  /** Gives an absent unit a free place. @returns the place; NONE where there is none, or the unit has one already */
  admit(unit: number): number {
    const place = this.#unitAt.indexOf(NONE);
    if (place === NONE || this.#placeOf[unit] !== NONE) return NONE;
    this.#unitAt[place] = unit;
    this.#placeOf[unit] = place;
    return place;
  }

  /** Forgets a unit whose load came to nothing, so that the next use asks for it again. */
  drop(unit: number): void {
    const place = this.placeOf(unit);
    if (place === NONE) return;
    this.#unitAt[place] = NONE;
    this.#placeOf[unit] = NONE;
  }

  /** Looks for places: free ones first, then those whose units have the lowest scores and are not of this step. */
  #makeRoom(count: number): void {
    this.#room.begin(count);
    for (let place = 0; place < this.places; place += 1) {
      const unit = this.#unitAt[place] ?? NONE;
      if (unit === NONE) this.#room.offer(place, -Infinity);
      else if (this.#pinned[unit] !== this.#step) this.#room.offer(place, this.policy.score(unit));
    }
  }

  /** @returns whether there is room for this many loads */
  #load(unit: number, at: number): boolean {
    if (at >= this.#room.count) return false;
    const place = this.#room.item(at);
    const evicted = this.unitAt(place);
    if (evicted !== NONE) {
      this.#placeOf[evicted] = NONE;
      this.counters.evictions += 1;
    }
    this.#unitAt[place] = unit;
    this.#placeOf[unit] = place;
    this.loads.unit[at] = unit;
    this.loads.place[at] = place;
    this.loads.evicted[at] = evicted;
    return true;
  }
}
