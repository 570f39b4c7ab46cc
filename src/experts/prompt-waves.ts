/** Runs a layer over many tokens whose experts do not all fit: some at a time, through the scratch slots. */
import { invariant } from '../errors.ts';
import { NONE, type LayerCache } from './layer-cache.ts';
import type { PromptPrefetch } from './prefetch.ts';
import type { Residency } from './residency.ts';
import type { Move, SlotStore } from './slot-store.ts';
import type { RecordTiers } from './tiers.ts';

/** What reading cost so far. */
export interface LoadCounters {
  promptLoads: number; // records that prompts read
  stallMs: number; // waiting for records that were not in memory
}

/** What waves work with. */
export interface WaveOptions<S extends SlotStore> {
  readonly residency: Residency<S>;
  readonly scratch: S;
  readonly tiers: RecordTiers;
  readonly counters: LoadCounters; // counted into
  /** [layer][place]: the units in the order of a file, so that neighbours are read together; undefined: by unit. */
  readonly order: readonly (readonly number[])[] | undefined;
  /** What reads ahead where routes are known. */
  ahead(): PromptPrefetch | undefined;
  /** Makes copies, ahead of whatever is submitted next. */
  copy(moves: readonly Move<S>[]): void;
}

/** A layer's units for the tokens of a prompt. */
export interface LayerUse {
  readonly layer: number;
  readonly uses: Uint32Array; // [unit]: how many of the tokens use it
  readonly cache: LayerCache; // its `loads` are those of the units that were given a place
  readonly loads: number;
}

/** Records that are being read, by unit. */
type Reads = Map<number, Promise<Uint8Array<ArrayBuffer>>>;

/** Brings the experts of a prompt into scratch slots, as many at a time as fit. */
export class PromptWaves<S extends SlotStore> {
  readonly #options: WaveOptions<S>;

  constructor(options: WaveOptions<S>) {
    this.#options = options;
  }

  /**
   * Brings the used units into the scratch slots, and runs `wave` for each lot of them. Units that were given a place are
   * copied into it.
   *
   * @param canSplit - whether the work may run in waves
   * @throws {AtomoeError} network, integrity and the like: the units that did not come are absent, everything else is unchanged
   */
  async run(
    used: LayerUse,
    canSplit: boolean,
    wave: () => Promise<void> | void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { layer } = used;
    const waves = this.#plan(used, canSplit);
    try {
      let ahead: Reads = new Map();
      for (const [index, units] of waves.entries()) {
        await this.#fill(layer, units, ahead, signal);
        const running = wave();
        // While the GPU works on this lot, the next one is read.
        ahead = this.#readAhead(layer, waves[index + 1] ?? [], signal);
        if (index === waves.length - 1) this.#options.ahead()?.begin(layer + 1);
        await running;
        this.#keep(used, units);
      }
    } finally {
      this.#settle(used, waves.flat());
    }
  }

  /**
   * Cuts the used units into lots for the scratch slots. Units that lose their place to others come first: they are
   * copied before they are overwritten. Of the others those with the most tokens come first (hottest first, as D2MoE loads experts,
   * arXiv:2504.15299): while the GPU works on them the others are read, and the least work is left when the last have come.
   */
  #plan({ layer, uses, cache, loads }: LayerUse, canSplit: boolean): number[][] {
    const leaving = new Set(cache.loads.evicted.subarray(0, loads));
    const all = this.#options.order?.[layer] ?? [...uses.keys()];
    const used = all.filter((unit) => (uses[unit] ?? 0) > 0);
    used.sort((a, b) => (uses[b] ?? 0) - (uses[a] ?? 0)); // stable: of as many, neighbours in the file stay together
    const order = [...used.filter((unit) => leaving.has(unit)), ...used.filter((unit) => !leaving.has(unit))];
    const room = this.#options.scratch.plan.places;
    invariant(
      canSplit || order.length <= room,
      () => `${order.length} units at once in ${room} scratch slots`,
    );
    const waves: number[][] = [];
    for (let from = 0; from < order.length; from += room) waves.push(order.slice(from, from + room));
    return waves;
  }

  /** Begins to read units of a lot that are not in GPU memory: no more than may be read at a time, for they wait in memory. */
  #readAhead(layer: number, units: readonly number[], signal: AbortSignal | undefined): Reads {
    const { residency, tiers } = this.#options;
    const absent = units.filter((unit) => !residency.has(layer, unit)).slice(0, tiers.mostReads);
    return new Map(absent.map((unit) => [unit, this.#read(layer, unit, signal)]));
  }

  /** An error reaches who waits for the record. */
  #read(layer: number, unit: number, signal: AbortSignal | undefined): Promise<Uint8Array<ArrayBuffer>> {
    const { tiers, counters, ahead } = this.#options;
    counters.promptLoads += 1;
    const read = ahead()?.take(layer, unit) ?? tiers.read(layer, unit, signal);
    read.catch(() => {});
    return read;
  }

  /**
   * Brings a lot of units into the scratch slots: those that are read when they come, and the others from where they are.
   * Waits for all, even where one fails.
   */
  async #fill(
    layer: number,
    units: readonly number[],
    begun: Reads,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { residency, scratch, tiers, counters } = this.#options;
    const bring = async (toSlot: number, unit: number): Promise<void> => {
      const record = await (begun.get(unit) ?? this.#read(layer, unit, signal));
      scratch.write(layer, toSlot, record);
      tiers.done(record);
    };
    // A guess that comes while others are read may take the slot of a unit: nothing is copied before nothing is waited for.
    const toCopy = new Map(units.entries());
    for (;;) {
      const absent = [...toCopy].filter(([, unit]) => begun.has(unit) || !residency.has(layer, unit));
      if (absent.length === 0) break;
      const coming = absent.map(([toSlot, unit]) => bring(toSlot, unit));
      for (const [toSlot, unit] of absent) {
        begun.delete(unit);
        toCopy.delete(toSlot);
      }
      await waitForAll(coming, counters);
    }
    const moves = [...toCopy].map(([toSlot, unit]): Move<S> => {
      const slot = residency.slotOf(layer, unit);
      invariant(slot !== undefined, () => `expert ${unit} of layer ${layer} has left its slot`);
      return { layer, from: residency.store, slot, to: scratch, toSlot };
    });
    for (const [toSlot, unit] of units.entries()) scratch.point(layer, unit, toSlot);
    if (moves.length > 0) this.#options.copy(moves);
    scratch.flush(layer);
  }

  /** Copies the units of a lot that were given a place to it, and clears the lot's entries. */
  #keep({ layer, cache }: LayerUse, units: readonly number[]): void {
    const { residency, scratch } = this.#options;
    const { loads } = cache;
    const moves: Move<S>[] = [];
    for (const [slot, unit] of units.entries()) {
      scratch.point(layer, unit, undefined);
      const place = cache.placeOf(unit);
      if (place === NONE || residency.has(layer, unit)) continue;
      const evicted = loads.evicted[loads.unit.indexOf(unit)] ?? NONE;
      const toSlot = residency.slotAt(layer, place);
      if (evicted !== NONE && residency.has(layer, evicted)) residency.forget(layer, evicted);
      moves.push({ layer, from: scratch, slot, to: residency.store, toSlot });
      residency.point(layer, unit, toSlot);
    }
    if (moves.length > 0) this.#options.copy(moves);
  }

  /** After an error, units that were given a place and never came are absent, and so are those that had it before. */
  #settle({ layer, cache, loads }: LayerUse, units: readonly number[]): void {
    const { residency, scratch } = this.#options;
    for (let index = 0; index < loads; index += 1) {
      const unit = cache.loads.unit[index] ?? 0;
      const evicted = cache.loads.evicted[index] ?? NONE;
      if (!residency.has(layer, unit)) cache.drop(unit);
      if (evicted !== NONE && residency.has(layer, evicted)) residency.forget(layer, evicted);
    }
    for (const unit of units) scratch.point(layer, unit, undefined);
    scratch.flush(layer);
    residency.store.flush(layer);
  }
}

/** Waits for all, even where one fails: none may write later. Counts the time. */
export async function waitForAll<T>(
  waiting: readonly Promise<T>[],
  counters: Pick<LoadCounters, 'stallMs'>,
): Promise<T[]> {
  const startedMs = performance.now();
  const outcomes = await Promise.allSettled(waiting);
  counters.stallMs += performance.now() - startedMs;
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}
