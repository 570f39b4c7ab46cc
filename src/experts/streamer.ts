/** Keeps the experts that the model needs in GPU memory: what to load, where to put it, what makes room. */
import { invariant } from '../errors.ts';
import type { ExpertAddress } from './base-records.ts';
import { LayerCache, NONE } from './layer-cache.ts';
import type { MakePolicy, Policy } from './policy.ts';
import { reservedSlots } from './pools.ts';
import type { Prefetches, PromptPrefetch } from './prefetch.ts';
import { PromptWaves, waitForAll, type LoadCounters } from './prompt-waves.ts';
import { Residency } from './residency.ts';
import { Speculation, type SpeculationCounters } from './speculation.ts';
import type { Move, SlotStore } from './slot-store.ts';
import type { RecordTiers } from './tiers.ts';

/** What a streamer works with. */
export interface StreamerOptions<S extends SlotStore> {
  readonly store: S; // decode reads from here
  /** Prompts read from here, some units at a time; absent where the store has a place for each unit. */
  readonly scratch: S | undefined;
  readonly tiers: RecordTiers;
  readonly topK: number; // units of one token at most
  readonly order?: readonly (readonly number[])[] | undefined; // [layer][place]: units in the order of a file
  readonly policy: MakePolicy;
  readonly seed?: number; // of policies that draw; default 0
  /** Makes copies, ahead of whatever is submitted next. */
  copy(moves: readonly Move<S>[]): void;
  /** Hears what layers use, in order: for recording routes. */
  readonly observer?: RouteObserver | undefined;
  /** Overwrites slots whose units were evicted, so that a use after it shows. For tests. */
  readonly poison?: Uint8Array<ArrayBuffer> | undefined;
}

/** Receives which units each layer uses, in the order of use. */
export interface RouteObserver {
  /** A prompt of this many tokens; `uses[unit]` of them used each unit of the layer. */
  prompt(layer: number, uses: Uint32Array, tokens: number): void;
  /** A token used `units[0..count)` of the layer, in rank order. */
  token(layer: number, units: Uint32Array, count: number): void;
}

/** What streaming did so far. */
export interface StreamCounters extends SpeculationCounters, LoadCounters {
  hits: number; // of single tokens: found resident
  misses: number; // of single tokens: loaded, or adopted from a reserved slot
  prefetched: number; // of single tokens: loaded before their layer ran, since its routes were known; they hit then
  evictions: number;
  uploads: number; // records written to GPU memory on demand
}

/** Loads units into slots before they are used; a policy decides which ones make room. */
export class ExpertStreamer<S extends SlotStore = SlotStore> {
  readonly store: S;
  readonly scratch: S | undefined;
  ahead: Prefetches | undefined; // of the step that runs, where some of its routes are known
  prompt: PromptPrefetch | undefined; // of the step of many tokens that runs, likewise
  readonly #options: StreamerOptions<S>;
  readonly #caches: readonly LayerCache[];
  readonly #residency: Residency<S>;
  readonly #waves: PromptWaves<S> | undefined;
  readonly #speculation: Speculation;
  #isClosed = false;
  readonly #counters = { uploads: 0, promptLoads: 0, stallMs: 0 };
  #prefetched = 0;

  constructor(options: StreamerOptions<S>) {
    const { store, scratch, topK, policy, seed = 0, tiers } = options;
    const { layers, unitsPerLayer, plan } = store;
    invariant(plan.places >= Math.min(topK, unitsPerLayer), () => `${plan.places} places for ${topK} units`);
    this.#options = options;
    this.store = store;
    this.scratch = scratch;
    const residency = new Residency(store);
    this.#residency = residency;
    this.#waves =
      scratch &&
      new PromptWaves({
        residency,
        scratch,
        tiers,
        counters: this.#counters,
        order: options.order,
        ahead: () => this.prompt,
        copy: (moves) => options.copy(moves),
      });
    const all = Array.from({ length: layers }, (_, layer) => layer);
    this.#caches = all.map(
      (layer) =>
        new LayerCache(
          store.units(layer),
          Math.min(plan.places, store.units(layer)),
          policy({ units: store.units(layer), topK, layer, seed }),
        ),
    );
    const groups = store.group(layers - 1) + 1;
    this.#speculation = new Speculation({
      residency,
      tiers,
      ranks: topK,
      reserved: Array.from({ length: groups }, (_, group) => reservedSlots(plan, group, layers)),
      fetchedRecords: () => this.#counters.uploads + this.#counters.promptLoads,
      isPresent: (layer, unit) => residency.has(layer, unit) || this.#cache(layer).placeOf(unit) !== NONE,
      admit: (layer, unit, record) => this.#admit(layer, unit, record),
    });
  }

  get tiers(): RecordTiers {
    return this.#options.tiers;
  }

  /** Units of one token at most. */
  get topK(): number {
    return this.#options.topK;
  }

  /** Changes of what is where are numbered: a submission notes the number, and knows later what it could see. */
  get serial(): number {
    return this.#residency.serial;
  }

  /** Of the units that each layer used in single tokens, the share that lookahead named. */
  recall(): number[] {
    return this.#speculation.recall();
  }

  /** Whether no unit is missing, so that no step has to stop. */
  get isComplete(): boolean {
    return this.#residency.isComplete;
  }

  get counters(): StreamCounters {
    const counters = { hits: 0, misses: 0, evictions: 0 };
    for (const cache of this.#caches) {
      counters.hits += cache.counters.hits;
      counters.misses += cache.counters.misses;
      counters.evictions += cache.counters.evictions;
    }
    return {
      hits: counters.hits + this.#prefetched,
      misses: counters.misses - this.#prefetched,
      evictions: counters.evictions,
      prefetched: this.#prefetched,
      ...this.#speculation.counters,
      ...this.#counters,
    };
  }

  /** What is where: for each layer and unit one of `states`. */
  describe(states: {
    readonly absent: number;
    readonly resident: number;
    readonly loading: number;
    readonly predicted: number;
  }): Uint8Array<ArrayBuffer> {
    const { layers, unitsPerLayer } = this.store;
    const described = new Uint8Array(layers * unitsPerLayer).fill(states.absent);
    for (let layer = 0; layer < layers; layer += 1) {
      const cache = this.#cache(layer);
      for (let unit = 0; unit < cache.units; unit += 1) {
        const at = layer * unitsPerLayer + unit;
        if (this.#options.tiers.isPending(layer, unit)) described[at] = states.loading;
        else if (cache.placeOf(unit) !== NONE) described[at] = states.resident;
        else if (this.#residency.has(layer, unit)) described[at] = states.predicted;
      }
    }
    return described;
  }

  /** Whether work that is submitted now finds the unit. */
  isPresent(layer: number, unit: number): boolean {
    return this.#residency.has(layer, unit);
  }

  /** Whether work submitted at `serial` found all these units. */
  wasReady(layer: number, units: Uint32Array, count: number, serial: number): boolean {
    for (let rank = 0; rank < count; rank += 1) {
      if (!this.#residency.had(layer, units[rank] ?? 0, serial)) return false;
    }
    return true;
  }

  /**
   * Makes the units of one token ready for what is submitted next.
   *
   * @returns undefined where all were at hand
   * @throws {AtomoeError} network, integrity and the like: the units that did not come are absent, everything else is unchanged
   */
  demand(layer: number, units: Uint32Array, count: number, signal?: AbortSignal): Promise<void> | undefined {
    this.#options.observer?.token(layer, units, count);
    this.#speculation.settle(layer, units, count);
    if (this.ahead?.has(layer)) {
      const loading = this.ahead.take(layer, units, count);
      return loading && this.#finish(layer, [loading], this.#counters);
    }
    return this.#load(layer, this.#cache(layer).access(units, count), this.#counters, signal);
  }

  /**
   * As `demand`, before the layer runs: nobody waits yet. For `Prefetches`, which `demand` asks afterwards.
   *
   * @returns undefined where all are at hand
   */
  prefetch(
    layer: number,
    units: Uint32Array,
    count: number,
    signal?: AbortSignal,
  ): Promise<void> | undefined {
    const loads = this.#cache(layer).access(units, count);
    this.#prefetched += loads;
    return this.#load(layer, loads, { stallMs: 0 }, signal);
  }

  /** What decides which units of a layer make room. */
  policy(layer: number): Policy {
    return this.#cache(layer).policy;
  }

  /** Brings the loads of the cache into their places. */
  #load(
    layer: number,
    loads: number,
    counters: Pick<LoadCounters, 'stallMs'>,
    signal: AbortSignal | undefined,
  ): Promise<void> | undefined {
    if (loads === 0) return undefined;
    let waiting: Promise<void>[] | undefined;
    for (let index = 0; index < loads; index += 1) {
      const { unit, slot } = this.#makeRoom(layer, index);
      if (this.#adopt(layer, unit)) continue;
      const record = this.#options.tiers.peek(layer, unit);
      this.#counters.uploads += 1;
      if (record) this.#upload(layer, unit, slot, record);
      else (waiting ??= []).push(this.#fetch(layer, unit, signal));
    }
    if (!waiting) {
      this.store.flush(layer);
      return undefined;
    }
    return this.#finish(layer, waiting, counters);
  }

  /** Asks for units that the layer will probably use, most probable first. Never evicts, never throws. */
  predict(layer: number, units: Uint32Array, count: number): void {
    this.#speculation.predict(layer, units, count);
  }

  /**
   * Makes the units of many tokens ready, some at a time, and runs `wave` for each lot: all at once where they fit.
   *
   * @param uses - how many of the tokens use each unit
   * @param canSplit - whether the work may run in waves
   */
  async stream(
    layer: number,
    uses: Uint32Array,
    tokens: number,
    canSplit: boolean,
    wave: () => Promise<void> | void,
    signal?: AbortSignal,
  ): Promise<void> {
    const cache = this.#cache(layer);
    this.#options.observer?.prompt(layer, uses, tokens);
    const loads = cache.prime(uses, tokens);
    if (!this.#waves) {
      const waiting: Promise<void>[] = [];
      for (let index = 0; index < loads; index += 1) {
        const { unit } = this.#makeRoom(layer, index);
        if (this.#adopt(layer, unit)) continue;
        this.#counters.promptLoads += 1;
        waiting.push(this.#fetch(layer, unit, signal));
      }
      await this.#finish(layer, waiting, this.#counters);
      await wave();
      return;
    }
    for (let index = 0; index < loads; index += 1) {
      const unit = cache.loads.unit[index] ?? 0;
      if (!this.#residency.has(layer, unit)) continue;
      this.#makeRoom(layer, index);
      this.#adopt(layer, unit);
    }
    await this.#waves.run({ layer, uses, cache, loads }, canSplit, wave, signal);
  }

  /** The slots are going: nothing that is still under way may write to them. */
  close(): void {
    this.#isClosed = true;
    this.#speculation.close();
  }

  /** All units of a layer, the hottest first; as hot ones in the order of the file. */
  byHeat(layer: number): readonly number[] {
    const { policy, units } = this.#cache(layer);
    const order = this.#options.order?.[layer] ?? Array.from({ length: units }, (_, unit) => unit);
    const scored = order.map((unit) => ({ unit, score: policy.score(unit) }));
    return scored.sort((a, b) => b.score - a.score).map(({ unit }) => unit);
  }

  /** A unit that is absent and for which there is a free place: of the first such layer the hottest. */
  nextAbsent(): ExpertAddress | undefined {
    for (const [layer, cache] of this.#caches.entries()) {
      const unit = cache.hasRoom ? cache.hottestAbsent(this.#options.order?.[layer]) : NONE;
      if (unit !== NONE) return { layer, unit };
    }
    return undefined;
  }

  /**
   * Brings a unit into a free place, if there is one; counts as neither hit nor miss.
   *
   * @throws {AtomoeError} network, integrity and the like
   */
  async admit(layer: number, unit: number, signal?: AbortSignal): Promise<void> {
    const record = await this.#options.tiers.read(layer, unit, signal);
    const place = this.#isClosed ? NONE : this.#cache(layer).admit(unit);
    // A guess may have brought it meanwhile: no unit is in two slots.
    if (place === NONE || this.#adopt(layer, unit)) this.#options.tiers.done(record);
    else this.#upload(layer, unit, this.#residency.slotAt(layer, place), record);
    if (place !== NONE) this.store.flush(layer);
  }

  /** Gives a guessed unit a free place permanently. @returns whether there was one, and the unit had none */
  #admit(layer: number, unit: number, record: Uint8Array<ArrayBuffer>): boolean {
    const place = this.#cache(layer).admit(unit);
    if (place === NONE) return false;
    this.#residency.upload(layer, unit, this.#residency.slotAt(layer, place), record);
    return true;
  }

  /** Takes the place of load `index` of the cache from the unit that lay there. */
  #makeRoom(layer: number, index: number): { unit: number; slot: number } {
    const { loads } = this.#cache(layer);
    const unit = loads.unit[index] ?? 0;
    const slot = this.#residency.slotAt(layer, loads.place[index] ?? 0);
    const evicted = loads.evicted[index] ?? NONE;
    if (evicted !== NONE) {
      this.#residency.forget(layer, evicted);
      const { poison } = this.#options;
      if (poison) this.store.write(layer, slot, poison);
    }
    return { unit, slot };
  }

  /** A unit that is in a reserved slot keeps it: the slot of its place becomes a reserved one. */
  #adopt(layer: number, unit: number): boolean {
    const place = this.#cache(layer).placeOf(unit);
    const adopted = this.#speculation.adopt(layer, unit, this.#residency.slotAt(layer, place));
    if (adopted === undefined) return false;
    this.#residency.setSlot(layer, place, adopted);
    return true;
  }

  /** Reads a unit that has a place, and writes it there. */
  async #fetch(layer: number, unit: number, signal: AbortSignal | undefined): Promise<void> {
    const cache = this.#cache(layer);
    try {
      const record = await this.#options.tiers.read(layer, unit, signal);
      if (!this.#isClosed)
        this.#upload(layer, unit, this.#residency.slotAt(layer, cache.placeOf(unit)), record);
    } catch (error) {
      cache.drop(unit);
      throw error;
    }
  }

  #upload(layer: number, unit: number, slot: number, record: Uint8Array<ArrayBuffer>): void {
    this.#residency.upload(layer, unit, slot, record);
    this.#options.tiers.done(record);
  }

  /** Waits for all, even where one fails: none may write later. */
  async #finish(
    layer: number,
    waiting: readonly Promise<void>[],
    counters: Pick<LoadCounters, 'stallMs'>,
  ): Promise<void> {
    try {
      await waitForAll(waiting, counters);
    } finally {
      this.store.flush(layer);
    }
  }

  #cache(layer: number): LayerCache {
    const cache = this.#caches[layer];
    invariant(cache, () => `no expert layer ${layer}`);
    return cache;
  }
}
