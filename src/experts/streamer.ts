/** Keeps the experts that the model needs in GPU memory: what to load, where to put it, what makes room. */
import { invariant } from '../errors.ts';
import { LayerCache, NONE } from './layer-cache.ts';
import type { MakePolicy } from './policy.ts';
import { reservedSlots } from './pools.ts';
import { Speculation, type SpeculationCounters } from './speculation.ts';
import type { Move, SlotStore } from './slot-store.ts';
import type { RecordTiers } from './tiers.ts';

export interface StreamerOptions<S extends SlotStore> {
  readonly store: S; // decode reads from here
  /** Prompts read from here, some units at a time; absent where the store has a place for each unit. */
  readonly scratch: S | undefined;
  readonly tiers: RecordTiers;
  readonly topK: number; // units of one token at most
  readonly policy: MakePolicy;
  readonly seed?: number; // of policies that draw; default 0
  /** Makes copies, ahead of whatever is submitted next. */
  copy(moves: readonly Move<S>[]): void;
  /** Hears what layers use, in order: for recording routes. */
  readonly observer?: RouteObserver | undefined;
  /** Overwrites slots whose units were evicted, so that a use after it shows. For tests. */
  readonly poison?: Uint8Array<ArrayBuffer> | undefined;
}

export interface RouteObserver {
  /** A prompt of so many tokens; `uses[unit]` of them used each unit of the layer. */
  prompt(layer: number, uses: Uint32Array, tokens: number): void;
  /** A token used `units[0..count)` of the layer, in rank order. */
  token(layer: number, units: Uint32Array, count: number): void;
}

/** What streaming did so far. */
export interface StreamCounters extends SpeculationCounters {
  hits: number; // of single tokens: found resident
  misses: number; // of single tokens: loaded, or adopted from a reserved slot
  evictions: number;
  uploads: number; // records written to GPU memory on demand
  promptLoads: number; // records that prompts read
  stallMs: number; // waiting for records that were not in memory
}

/** Never valid. */
const NEVER = Infinity;

export class ExpertStreamer<S extends SlotStore = SlotStore> {
  readonly store: S;
  readonly scratch: S | undefined;
  readonly #options: StreamerOptions<S>;
  readonly #caches: readonly LayerCache[];
  readonly #slotAt: readonly Int32Array[]; // [layer][place]
  readonly #validSince: Float64Array; // [layers * units]: the serial from which on the table points to the record
  readonly #speculation: Speculation;
  #isClosed = false;
  #serial = 0;
  #uploads = 0;
  #promptLoads = 0;
  #stallMs = 0;
  readonly #records: number; // units of all layers
  #present = 0; // units that the table points to

  constructor(options: StreamerOptions<S>) {
    const { store, topK, policy, seed = 0, tiers } = options;
    const { layers, unitsPerLayer, plan } = store;
    invariant(plan.places >= Math.min(topK, unitsPerLayer), () => `${plan.places} places for ${topK} units`);
    this.#options = options;
    this.#records = store.records;
    this.store = store;
    this.scratch = options.scratch;
    const all = Array.from({ length: layers }, (_, layer) => layer);
    this.#caches = all.map(
      (layer) =>
        new LayerCache(
          store.units(layer),
          Math.min(plan.places, store.units(layer)),
          policy({ units: store.units(layer), topK, layer, seed }),
        ),
    );
    this.#slotAt = all.map((layer) =>
      Int32Array.from({ length: plan.places }, (_, place) => store.home(layer, place)),
    );
    this.#validSince = new Float64Array(layers * unitsPerLayer).fill(NEVER);
    const groups = store.group(layers - 1) + 1;
    this.#speculation = new Speculation({
      reserved: Array.from({ length: groups }, (_, group) => reservedSlots(plan, group, layers)),
      units: unitsPerLayer,
      layers,
      ranks: topK,
      fetchedRecords: () => this.#uploads + this.#promptLoads,
      place: (layer, unit, slot, record) => this.#upload(layer, unit, slot, record),
      forget: (layer, unit) => this.#forget(layer, unit),
      admit: (layer, unit, record) => this.#admit(layer, unit, record),
      flush: (layer) => store.flush(layer),
      tiers,
      group: (layer) => store.group(layer),
      isPresent: (layer, unit) =>
        this.#since(layer, unit) !== NEVER || this.#cache(layer).placeOf(unit) !== NONE,
    });
  }

  /** Units of one token at most. */
  get topK(): number {
    return this.#options.topK;
  }

  /** Changes of what lies where are numbered: a submission notes the number, and knows later what it could see. */
  get serial(): number {
    return this.#serial;
  }

  /** Of the units that each layer used in single tokens, the share that lookahead named. */
  recall(): number[] {
    return this.#speculation.recall();
  }

  /** Whether no unit is missing, so that no step has to stop. */
  get isComplete(): boolean {
    return this.#present === this.#records;
  }

  get counters(): StreamCounters {
    const counters = { hits: 0, misses: 0, evictions: 0 };
    for (const cache of this.#caches) {
      counters.hits += cache.counters.hits;
      counters.misses += cache.counters.misses;
      counters.evictions += cache.counters.evictions;
    }
    return {
      ...counters,
      ...this.#speculation.counters,
      uploads: this.#uploads,
      promptLoads: this.#promptLoads,
      stallMs: this.#stallMs,
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
        else if (this.#since(layer, unit) !== NEVER) described[at] = states.predicted;
      }
    }
    return described;
  }

  /** Whether work that is submitted now finds the unit. */
  isPresent(layer: number, unit: number): boolean {
    return this.#since(layer, unit) !== NEVER;
  }

  /** Whether work submitted at `serial` found all these units. */
  wasReady(layer: number, units: Uint32Array, count: number, serial: number): boolean {
    for (let rank = 0; rank < count; rank += 1) {
      if (this.#since(layer, units[rank] ?? 0) > serial) return false;
    }
    return true;
  }

  /**
   * Makes the units of one token ready for what is submitted next.
   *
   * @returns undefined where all were at hand
   * @throws {AtomoeError} network, integrity and the like: the units that did not come are absent, all else stands
   */
  demand(layer: number, units: Uint32Array, count: number, signal?: AbortSignal): Promise<void> | undefined {
    const cache = this.#cache(layer);
    this.#options.observer?.token(layer, units, count);
    const loads = cache.access(units, count);
    this.#speculation.settle(layer, units, count);
    if (loads === 0) return undefined;
    let waiting: Promise<void>[] | undefined;
    for (let index = 0; index < loads; index += 1) {
      const { unit, slot } = this.#makeRoom(layer, index);
      if (this.#adopt(layer, unit)) continue;
      const record = this.#options.tiers.peek(layer, unit);
      this.#uploads += 1;
      if (record) this.#upload(layer, unit, slot, record);
      else (waiting ??= []).push(this.#fetch(layer, unit, signal));
    }
    if (!waiting) {
      this.store.flush(layer);
      return undefined;
    }
    return this.#finish(layer, waiting);
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
    const { scratch } = this;
    this.#options.observer?.prompt(layer, uses, tokens);
    const loads = cache.prime(uses, tokens);
    if (!scratch) {
      const waiting: Promise<void>[] = [];
      for (let index = 0; index < loads; index += 1) {
        const { unit } = this.#makeRoom(layer, index);
        if (this.#adopt(layer, unit)) continue;
        this.#promptLoads += 1;
        waiting.push(this.#fetch(layer, unit, signal));
      }
      await this.#finish(layer, waiting);
      await wave();
      return;
    }
    for (let index = 0; index < loads; index += 1) {
      const unit = cache.loads.unit[index] ?? 0;
      if (this.#since(layer, unit) === NEVER) continue;
      this.#makeRoom(layer, index);
      this.#adopt(layer, unit);
    }
    const waves = this.#planWaves(layer, uses, loads, scratch, canSplit);
    try {
      let coming = this.#readAbsent(layer, waves[0] ?? [], signal);
      for (const [index, units] of waves.entries()) {
        await this.#fill(layer, units, scratch, await coming, signal);
        const running = wave();
        // While the GPU works on this lot, the next one is read.
        coming = this.#readAbsent(layer, waves[index + 1] ?? [], signal);
        coming.catch(() => {}); // awaited in the next turn, or the wave has failed first
        await running;
        this.#keep(layer, units, scratch);
      }
    } finally {
      // After an error: units that were given a place and never came are absent, and so are those that had it before.
      for (let index = 0; index < loads; index += 1) {
        const unit = cache.loads.unit[index] ?? 0;
        const evicted = cache.loads.evicted[index] ?? NONE;
        if (this.#since(layer, unit) === NEVER) cache.drop(unit);
        if (evicted !== NONE && this.#since(layer, evicted) !== NEVER) this.#forget(layer, evicted);
      }
      for (const unit of waves.flat()) scratch.point(layer, unit, undefined);
      scratch.flush(layer);
      this.store.flush(layer);
    }
  }

  /** The slots are going: nothing that is still under way may write to them. */
  close(): void {
    this.#isClosed = true;
    this.#speculation.close();
  }

  /** The first unit that is absent and for which there is a free place. */
  firstAbsent(): { readonly layer: number; readonly unit: number } | undefined {
    for (const [layer, cache] of this.#caches.entries()) {
      const unit = cache.firstAbsent();
      if (unit !== NONE && cache.hasRoom) return { layer, unit };
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
    if (this.#isClosed) return;
    const place = this.#cache(layer).admit(unit);
    if (place === NONE) return;
    // A guess may have brought it meanwhile: no unit lies in two slots.
    if (!this.#adopt(layer, unit)) this.#upload(layer, unit, this.#slot(layer, place), record);
    this.store.flush(layer);
  }

  /** Gives a guessed unit a free place for good. @returns whether there was one, and the unit had none */
  #admit(layer: number, unit: number, record: Uint8Array<ArrayBuffer>): boolean {
    const place = this.#cache(layer).admit(unit);
    if (place === NONE) return false;
    this.#upload(layer, unit, this.#slot(layer, place), record);
    return true;
  }

  /** Takes the place of load `index` of the cache from the unit that lay there. */
  #makeRoom(layer: number, index: number): { unit: number; slot: number } {
    const { loads } = this.#cache(layer);
    const unit = loads.unit[index] ?? 0;
    const slot = this.#slot(layer, loads.place[index] ?? 0);
    const evicted = loads.evicted[index] ?? NONE;
    if (evicted !== NONE) {
      this.#forget(layer, evicted);
      this.#poison(layer, slot);
    }
    return { unit, slot };
  }

  /** A unit that lies in a reserved slot keeps it: the slot of its place becomes a reserved one. */
  #adopt(layer: number, unit: number): boolean {
    const place = this.#cache(layer).placeOf(unit);
    const slots = this.#slotAt[layer];
    const adopted = this.#speculation.adopt(layer, unit, this.#slot(layer, place));
    if (adopted === undefined || !slots) return false;
    slots[place] = adopted;
    return true;
  }

  /** Reads a unit that has a place, and writes it there. */
  async #fetch(layer: number, unit: number, signal: AbortSignal | undefined): Promise<void> {
    const cache = this.#cache(layer);
    try {
      const record = await this.#options.tiers.read(layer, unit, signal);
      if (!this.#isClosed) this.#upload(layer, unit, this.#slot(layer, cache.placeOf(unit)), record);
    } catch (error) {
      cache.drop(unit);
      throw error;
    }
  }

  /** Waits for all, even where one fails: none may write later. */
  async #finish(layer: number, waiting: readonly Promise<void>[]): Promise<void> {
    const startedMs = performance.now();
    const outcomes = await Promise.allSettled(waiting);
    this.#stallMs += performance.now() - startedMs;
    this.store.flush(layer);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
  }

  #upload(layer: number, unit: number, slot: number, record: Uint8Array<ArrayBuffer>): void {
    this.store.write(layer, slot, record);
    this.#point(layer, unit, slot);
  }

  #point(layer: number, unit: number, slot: number): void {
    const at = layer * this.store.unitsPerLayer + unit;
    if (this.#validSince[at] === NEVER) this.#present += 1;
    this.#serial += 1;
    this.#validSince[at] = this.#serial;
    this.store.point(layer, unit, slot);
  }

  #forget(layer: number, unit: number): void {
    const at = layer * this.store.unitsPerLayer + unit;
    if (this.#validSince[at] !== NEVER) this.#present -= 1;
    this.#validSince[at] = NEVER;
    this.store.point(layer, unit, undefined);
  }

  #poison(layer: number, slot: number): void {
    const { poison } = this.#options;
    if (poison) this.store.write(layer, slot, poison);
  }

  /**
   * Cuts the used units into lots for the scratch slots. Units that lose their place to others come first: they are
   * copied before they are overwritten.
   */
  #planWaves(layer: number, uses: Uint32Array, loads: number, scratch: S, canSplit: boolean): number[][] {
    const { evicted } = this.#cache(layer).loads;
    const leaving = new Set(evicted.subarray(0, loads));
    const used = [...uses.keys()].filter((unit) => (uses[unit] ?? 0) > 0);
    const order = [...used.filter((unit) => leaving.has(unit)), ...used.filter((unit) => !leaving.has(unit))];
    const room = scratch.plan.places;
    invariant(
      canSplit || order.length <= room,
      () => `${order.length} units at once in ${room} scratch slots`,
    );
    const waves: number[][] = [];
    for (let from = 0; from < order.length; from += room) waves.push(order.slice(from, from + room));
    return waves;
  }

  /** Reads the units of a lot that are not in GPU memory. Waits for all, even where one fails. */
  async #readAbsent(
    layer: number,
    units: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<Map<number, Uint8Array<ArrayBuffer>>> {
    const absent = units.filter((unit) => !this.isPresent(layer, unit));
    this.#promptLoads += absent.length;
    const reads = absent.map((unit) => this.#options.tiers.read(layer, unit, signal));
    const startedMs = performance.now();
    const outcomes = await Promise.allSettled(reads);
    this.#stallMs += performance.now() - startedMs;
    const records = new Map<number, Uint8Array<ArrayBuffer>>();
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === 'rejected') throw outcome.reason;
      records.set(absent[index] ?? 0, outcome.value);
    }
    return records;
  }

  /** Brings a lot of units into the scratch slots: those that were read, and the others from where they lie. */
  async #fill(
    layer: number,
    units: readonly number[],
    scratch: S,
    records: ReadonlyMap<number, Uint8Array<ArrayBuffer>>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const moves: Move<S>[] = [];
    for (const [slot, unit] of units.entries()) {
      const lies = records.has(unit) ? undefined : this.#where(layer, unit);
      if (lies !== undefined) moves.push({ layer, from: this.store, slot: lies, to: scratch, toSlot: slot });
      else {
        // Not read where it had a slot that was given away since.
        const record = records.get(unit) ?? (await this.#options.tiers.read(layer, unit, signal));
        scratch.write(layer, slot, record);
      }
      scratch.point(layer, unit, slot);
    }
    if (moves.length > 0) this.#options.copy(moves);
    scratch.flush(layer);
  }

  /** Copies the units of a lot that were given a place to it, and clears the lot's entries. */
  #keep(layer: number, units: readonly number[], scratch: S): void {
    const cache = this.#cache(layer);
    const { loads } = cache;
    const moves: Move<S>[] = [];
    for (const [from, unit] of units.entries()) {
      scratch.point(layer, unit, undefined);
      const place = cache.placeOf(unit);
      if (place === NONE || this.#since(layer, unit) !== NEVER) continue;
      const evicted = loads.evicted[loads.unit.indexOf(unit)] ?? NONE;
      const slot = this.#slot(layer, place);
      if (evicted !== NONE && this.#since(layer, evicted) !== NEVER) this.#forget(layer, evicted);
      moves.push({ layer, from: scratch, slot: from, to: this.store, toSlot: slot });
      this.#point(layer, unit, slot);
    }
    if (moves.length > 0) this.#options.copy(moves);
  }

  /** The slot in which a unit can be read now, in a place or reserved. */
  #where(layer: number, unit: number): number | undefined {
    return this.#since(layer, unit) === NEVER ? undefined : this.store.slotOf(layer, unit);
  }

  #since(layer: number, unit: number): number {
    return this.#validSince[layer * this.store.unitsPerLayer + unit] ?? NEVER;
  }

  #slot(layer: number, place: number): number {
    return this.#slotAt[layer]?.[place] ?? 0;
  }

  #cache(layer: number): LayerCache {
    const cache = this.#caches[layer];
    invariant(cache, () => `no expert layer ${layer}`);
    return cache;
  }
}
