/** Loads what a layer will probably use into reserved slots, so that a wrong guess pushes nothing out. */
import { invariant } from '../errors.ts';
import { PrefetchBudget } from './prefetch-budget.ts';
import type { Residency } from './residency.ts';
import type { SlotStore } from './slot-store.ts';
import type { RecordTiers } from './tiers.ts';

/** Of all records fetched, this many may be guesses that turn out unused. */
const MOST_WASTE = 0.1;

/** Counts of guesses. */
export interface SpeculationCounters {
  speculated: number; // records loaded on a guess
  adopted: number; // of those, used
  wasted: number; // of those, overwritten without having been used
}

/** What speculation works with. */
export interface SpeculationOptions {
  readonly residency: Residency;
  readonly tiers: RecordTiers;
  readonly ranks: number; // units of one prediction at most
  readonly reserved: readonly (readonly number[])[]; // [group]: slots
  /** Records fetched for other reasons. */
  readonly fetchedRecords: () => number;
  /** Whether the unit is in GPU memory, or has a place there and is on its way. */
  readonly isPresent: (layer: number, unit: number) => boolean;
  /** Puts a record into a free place of the layer's own, where there are no reserved slots. */
  readonly admit: (layer: number, unit: number, record: Uint8Array<ArrayBuffer>) => boolean;
}

/** A reserved slot and the unit in it, if any. */
interface Reserved {
  slot: number;
  layer: number;
  unit: number; // NO_UNIT where the slot is free
}

const NO_UNIT = -1;

/** Fetches experts that later layers will probably use into reserved slots. */
export class Speculation {
  readonly counters: SpeculationCounters = { speculated: 0, adopted: 0, wasted: 0 };
  readonly #options: SpeculationOptions;
  readonly #store: SlotStore;
  readonly #slots: readonly Reserved[][]; // [group], the next to be overwritten first
  readonly #held = new Map<number, Reserved>(); // by layer and unit
  readonly #pending = new Set<number>();
  readonly #passed: Uint32Array; // [layer]: how often the layer has chosen its experts
  readonly #guess: readonly Uint8Array[]; // [layer][unit]: 1 where predicted for the layer's next turn
  readonly #recall: { readonly used: Float64Array; readonly foreseen: Float64Array }; // [layer]
  readonly #isPredicted: Uint8Array; // [layer]: whether there was a prediction
  readonly #budget: PrefetchBudget;
  #isClosed = false;
  readonly #asked: readonly Int32Array[]; // [layer][rank]: units that were missing when they were predicted, or NO_UNIT

  constructor(options: SpeculationOptions) {
    const { ranks, reserved, residency } = options;
    const { layers, unitsPerLayer } = residency.store;
    this.#options = options;
    this.#store = residency.store;
    this.#slots = reserved.map((slots) => slots.map((slot) => ({ slot, layer: 0, unit: NO_UNIT })));
    this.#passed = new Uint32Array(layers);
    this.#guess = Array.from({ length: layers }, () => new Uint8Array(unitsPerLayer));
    this.#recall = { used: new Float64Array(layers), foreseen: new Float64Array(layers) };
    this.#isPredicted = new Uint8Array(layers);
    this.#budget = new PrefetchBudget(layers, ranks);
    this.#asked = Array.from({ length: layers }, () => new Int32Array(ranks).fill(NO_UNIT));
  }

  /** Of the units that each layer used, the share that was predicted. NaN where nothing was predicted. */
  recall(): number[] {
    const { used, foreseen } = this.#recall;
    return [...used.keys()].map((layer) => (foreseen[layer] ?? 0) / (used[layer] ?? 0));
  }

  /** What is still being read comes to nothing: the slots are going. */
  close(): void {
    this.#isClosed = true;
  }

  /**
   * Starts loads for the predicted units, most probable first: those ranks that are right often enough for the link as
   * it is, as many as can come in time, as far as the waste so far allows.
   *
   * @param units - [count] of one layer
   */
  predict(layer: number, units: Uint32Array, count: number): void {
    const { tiers, isPresent } = this.#options;
    const guess = this.#guess[layer];
    invariant(guess, () => `no expert layer ${layer}`);
    if (!this.#isPredicted[layer]) guess.fill(0);
    this.#isPredicted[layer] = 1;
    const nowMs = performance.now();
    const link = tiers.link(nowMs);
    this.#budget.ask(layer, nowMs);
    let fetches = this.#budget.most(tiers.recordBytes, link);
    let placed = false;
    for (let rank = 0; rank < count; rank += 1) {
      const unit = units[rank] ?? 0;
      guess[unit] = 1;
      if (isPresent(layer, unit) || this.#pending.has(this.#key(layer, unit))) continue;
      const asked = this.#asked[layer];
      if (asked) asked[rank] = unit;
      if (!this.#mayGuess() || !this.#budget.isWorth(layer, rank, link)) continue;
      const record = tiers.peek(layer, unit);
      if (record) {
        placed = this.#place(layer, unit, record) || placed;
        tiers.done(record);
      } else if (fetches > 0) {
        fetches -= 1;
        this.#fetch(layer, unit);
      }
    }
    if (placed) this.#store.flush(layer);
  }

  /** The layer has chosen: what is still being read for it comes too late to be placed. */
  settle(layer: number, units: Uint32Array, count: number): void {
    this.#passed[layer] = (this.#passed[layer] ?? 0) + 1;
    if (!this.#isPredicted[layer]) return;
    this.#isPredicted[layer] = 0;
    this.#budget.need(layer, performance.now());
    this.#learn(layer, units, count);
    const guess = this.#guess[layer];
    const { used, foreseen } = this.#recall;
    used[layer] = (used[layer] ?? 0) + count;
    for (let rank = 0; rank < count; rank += 1)
      foreseen[layer] = (foreseen[layer] ?? 0) + (guess?.[units[rank] ?? 0] ?? 0);
  }

  /**
   * A unit that was guessed right leaves the reserve with its slot; `freed` takes the slot's place there.
   *
   * @returns the slot, or undefined where the unit is in none
   */
  adopt(layer: number, unit: number, freed: number): number | undefined {
    const key = this.#key(layer, unit);
    const held = this.#held.get(key);
    if (!held) return undefined;
    const { slot } = held;
    this.#held.delete(key);
    held.slot = freed;
    held.unit = NO_UNIT;
    this.counters.adopted += 1;
    return slot;
  }

  /** Which of the guesses at missing units were right. */
  #learn(layer: number, units: Uint32Array, count: number): void {
    const asked = this.#asked[layer];
    if (!asked) return;
    for (const [rank, unit] of asked.entries()) {
      if (unit === NO_UNIT) continue;
      const at = units.indexOf(unit);
      this.#budget.learn(layer, rank, at >= 0 && at < count);
      asked[rank] = NO_UNIT;
    }
  }

  /** No slot is reserved, because no unit ever has to leave. */
  get #hasPlaceForAll(): boolean {
    return this.#slots.every((slots) => slots.length === 0);
  }

  #mayGuess(): boolean {
    if (this.#hasPlaceForAll) return true;
    const { speculated, wasted } = this.counters;
    const unused = wasted + this.#held.size + this.#pending.size + 1;
    return unused <= MOST_WASTE * (speculated + this.#options.fetchedRecords() + 1);
  }

  #fetch(layer: number, unit: number): void {
    const key = this.#key(layer, unit);
    const turn = this.#passed[layer];
    this.#pending.add(key);
    const { tiers } = this.#options;
    const arrive = (record: Uint8Array<ArrayBuffer>) => {
      if (this.#isClosed) return;
      this.#pending.delete(key);
      const isLate = this.#passed[layer] !== turn || this.#options.isPresent(layer, unit);
      // A late one was read in vain unless the layer used it, and then it was fetched on demand, sharing this read.
      if (this.#hasPlaceForAll) {
        // With a place for every unit nothing is in vain: what comes late is there for the next token.
        if (this.#options.admit(layer, unit, record)) this.#store.flush(layer);
      } else if (!isLate && this.#land(layer, unit, record)) this.#store.flush(layer);
      else if (!this.#options.isPresent(layer, unit)) {
        this.counters.speculated += 1;
        this.counters.wasted += 1;
      }
      tiers.done(record);
    };
    // A guess that fails is no loss: on demand the read is tried again, and its error told.
    tiers
      .guess(layer, unit)
      .then(arrive)
      .catch(() => this.#pending.delete(key));
  }

  /** Gives a record a place of its own where every unit has one, else a reserved slot. */
  #place(layer: number, unit: number, record: Uint8Array<ArrayBuffer>): boolean {
    if (this.#hasPlaceForAll) return this.#options.admit(layer, unit, record);
    return this.#land(layer, unit, record);
  }

  /** Writes a record into the reserved slot that is next in turn. */
  #land(layer: number, unit: number, record: Uint8Array<ArrayBuffer>): boolean {
    const { residency } = this.#options;
    const slots = this.#slots[this.#store.group(layer)];
    const next = slots?.find((reserved) => reserved.unit === NO_UNIT) ?? slots?.[0];
    if (!slots || !next) return false;
    if (next.unit !== NO_UNIT) {
      this.#held.delete(this.#key(next.layer, next.unit));
      residency.forget(next.layer, next.unit);
      if (next.layer !== layer) this.#store.flush(next.layer);
      this.counters.wasted += 1;
    }
    slots.splice(slots.indexOf(next), 1);
    slots.push(next);
    next.layer = layer;
    next.unit = unit;
    this.#held.set(this.#key(layer, unit), next);
    this.counters.speculated += 1;
    residency.upload(layer, unit, next.slot, record);
    return true;
  }

  #key(layer: number, unit: number): number {
    return layer * this.#store.unitsPerLayer + unit;
  }
}
