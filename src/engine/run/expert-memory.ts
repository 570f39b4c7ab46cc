/**
 * The experts of a loaded model: slots on a device, and how they change while the model is in use. What streams experts
 * through the slots (`streaming.ts`) is loaded where not all of them are loaded at once, or once the slots change.
 */
import { AtomoeError, invariant } from '../../errors.ts';
import type { ExpertPlan } from '../../experts/expert-plan.ts';
import type { LinkState } from '../../experts/prefetch-budget.ts';
import type { RecordShape } from '../../experts/pools.ts';
import type { Move, SlotStore } from '../../experts/slot-store.ts';
import type { StoreOptions } from '../../experts/store.ts';
import type { ExpertStreamer, RouteObserver } from '../../experts/streamer.ts';
import type { RecordTiers } from '../../experts/tiers.ts';
import { giveMemory } from '../../io/spare-memory.ts';
import { readTogether } from '../../io/read-ahead.ts';
import { SLOT_STATES, type DiskReport, type StreamingOptions, type StreamingReport } from '../api.ts';
import { STREAMING_DEFAULTS } from '../options.ts';
import type { Drafted } from '../load/planning.ts';
import { mostUnits, type SlotPlan } from '../load/slots.ts';
import type { RunAheadCounters } from './streamed-steps.ts';
import type { Streaming } from './streaming.ts';

/** What tests turn to show that results do not depend on it. */
export interface StreamTesting {
  /** Which place of its layer an expert takes where all are loaded at once: a permutation. */
  readonly place?: (unit: number, layer: number) => number;
  /** Fills evicted slots with this word. */
  readonly poison?: number;
  /** Changes predictions before they are followed. */
  readonly mistake?: (layer: number, units: Uint32Array, count: number) => void;
  /** Comes between every read of a record and who waits for it. */
  readonly delay?: () => Promise<void>;
  readonly observer?: RouteObserver;
  /** The largest binding that experts get, so that layers of small models take four buffers. */
  readonly expertBindingBytes?: number;
  /** What the link to the experts seems to be: guesses follow it, and tests may not depend on time. */
  readonly link?: () => LinkState;
}

/** Neighbours are asked for together: they may become one request. Fewer where their records take more than so many bytes. */
const LOADED_TOGETHER = 16;
const LOADED_BYTES = 64 * 2 ** 20;

/** Of experts kept in this thread's memory where not all have a slot; where they have, none need be. */
function hostBytes(
  device: Pick<ExpertDevice<SlotStore, ExpertSteps>, 'hostBytes'>,
  slots: SlotPlan,
  { hostBudget }: StreamingOptions,
): number {
  return hostBudget ?? (slots.streams ? device.hostBytes(slots.sizeBytes) : 0);
}

/** How the steps of a model whose experts stream are made on some device. */
export interface ExpertSteps {
  readonly counters: Readonly<RunAheadCounters>;
  dispose(): void;
}

/** What streaming needs to know of the model beside the streamer. */
export interface StepsOptions {
  readonly lookahead: number; // layers ahead that are predicted
  readonly runAhead: number | 'auto';
  readonly unitExperts: readonly number[]; // [layer]: experts of a unit: 1, or those of a page
  readonly mistake: StreamTesting['mistake'];
  readonly dropColdBelow: number;
}

/** A device that holds experts in slots. */
export interface ExpertDevice<S extends SlotStore, T extends ExpertSteps> {
  /** Bytes that the model may take from now on. */
  budgetBytes: number;
  /** Bytes of experts that may be kept beside slots of so many bytes, where the caller does not say. */
  hostBytes(slotBytes: number): number;
  /** @throws {AtomoeError} out-of-memory; limit-too-small */
  openStore(shape: RecordShape, options: StoreOptions): Promise<S>;
  copy(moves: readonly Move<S>[]): void;
  openSteps(streamer: ExpertStreamer<S>, options: StepsOptions): Promise<T>;
}

/** Experts kept beside the slots take no more than this unasked. */
export const MOST_HOST_BYTES = 2 ** 30;

/** What a report says of what was streamed. */
export type StreamedReport = Pick<
  StreamingReport,
  | 'states'
  | 'tokens'
  | 'hits'
  | 'misses'
  | 'prefetched'
  | 'evictions'
  | 'speculated'
  | 'adopted'
  | 'wasted'
  | 'uploadedBytes'
  | 'readBytes'
  | 'heldBytes'
  | 'stallMs'
  | 'syncMs'
  | 'aborts'
  | 'recall'
>;

interface Stores<S extends SlotStore, T extends ExpertSteps> {
  readonly slots: SlotPlan;
  readonly store: S;
  readonly scratch: S | undefined;
  readonly streaming: Streaming<S, T> | undefined; // none: every expert is loaded at once, and stays
}

/** How many slots there are, and how experts stream through them. */
export interface ExpertMemoryOptions {
  readonly slots: SlotPlan;
  readonly fewer: (slots: SlotPlan) => SlotPlan | undefined;
  readonly streaming: StreamingOptions;
  readonly testing: StreamTesting;
}

/** The slots of a loaded model on one device, with the streamer and the steps that use them. */
export class ExpertMemory<S extends SlotStore = SlotStore, T extends ExpertSteps = ExpertSteps> {
  readonly #device: ExpertDevice<S, T>;
  readonly #drafted: Drafted;
  readonly #testing: StreamTesting;
  readonly #read: ExpertPlan['read'];
  #loadedBytes = 0; // at once
  #stores: Stores<S, T>;
  #options: ExpertMemoryOptions;
  #isLost = false;
  #onMoved: () => void = () => {};

  private constructor(
    device: ExpertDevice<S, T>,
    drafted: Drafted,
    options: ExpertMemoryOptions,
    stores: Stores<S, T>,
  ) {
    this.#device = device;
    this.#drafted = drafted;
    this.#testing = options.testing;
    this.#read = readerOf(drafted, options.testing);
    this.#options = options;
    this.#stores = stores;
  }

  /**
   * Allocates the slots, fewer where the device refuses as many. No expert is loaded yet.
   *
   * @throws {AtomoeError} out-of-memory; limit-too-small
   */
  static async open<S extends SlotStore, T extends ExpertSteps>(
    device: ExpertDevice<S, T>,
    drafted: Drafted,
    options: ExpertMemoryOptions,
  ): Promise<ExpertMemory<S, T>> {
    const isKept = hostBytes(device, options.slots, options.streaming) > 0; // records, for slots to come
    const stores = await openStores(device, drafted, options, { mustStream: isKept });
    return new ExpertMemory(device, drafted, options, stores);
  }

  get slots(): SlotPlan {
    return this.#stores.slots;
  }

  /** Whether no expert is missing, so that no step has to stop. */
  get isComplete(): boolean {
    return this.#stores.streaming?.streamer.isComplete ?? true;
  }

  /** Experts that single tokens have done without (`lossy.dropColdBelow`). */
  get dropped(): number {
    return this.#stores.streaming?.steps.counters.dropped ?? 0;
  }

  /** How steps are made while experts are missing. */
  get steps(): T {
    return this.#streaming.steps;
  }

  /** What brings experts in; there is one while any is missing. */
  get streamer(): ExpertStreamer<S> {
    return this.#streaming.streamer;
  }

  /** The slots that single tokens use. */
  get store(): S {
    return this.#stores.store;
  }

  /** The slots that prompts use. */
  get forPrompts(): S {
    return this.#stores.scratch ?? this.#stores.store;
  }

  get tiers(): RecordTiers {
    return this.#streaming.tiers;
  }

  get #streaming(): Streaming<S, T> {
    const { streaming } = this.#stores;
    invariant(streaming, () => 'the experts are all loaded and do not stream');
    return streaming;
  }

  /** Calls `rebind` whenever the slots have moved: bind groups made before then are worthless. */
  onMoved(rebind: () => void): void {
    this.#onMoved = rebind;
  }

  /**
   * Prepares a change of slots and rules, within a budget of GPU memory for the whole model. Experts come back from
   * memory or disk as they are needed.
   *
   * @returns makes the change; no step may be under way. It throws out-of-memory where not even the fewest slots fit:
   *   then the slots are as they were, or the model is `isLost` and has to be loaded again
   * @throws {AtomoeError} bad-input - the caller's policy throws, or returns none; then nothing has changed
   */
  prepareResize(
    slots: SlotPlan,
    fewer: ExpertMemoryOptions['fewer'],
    streaming: StreamingOptions,
    budgetBytes: number,
  ): () => Promise<void> {
    const policy = makePolicies(this.#drafted, streaming);
    const wanted = { slots, fewer, streaming: { ...streaming, policy }, testing: this.#testing };
    return async () => {
      await loadStreaming(); // before anything is let go: a request may fail
      const before = this.#options;
      const { budgetBytes: budgetBefore } = this.#device;
      this.#close();
      try {
        await this.#reopen(wanted, budgetBytes);
      } catch (error) {
        // What was there fitted a moment ago, unless something else has taken the memory meanwhile.
        this.#isLost = true;
        await this.#reopen(
          { ...before, slots: this.#stores.slots, fewer: () => undefined },
          budgetBefore,
        ).then(
          () => (this.#isLost = false),
          () => {},
        );
        throw error;
      }
    };
  }

  /** Whether a failed resize has taken the slots: nothing can run any more. */
  get isLost(): boolean {
    return this.#isLost;
  }

  async #reopen(options: ExpertMemoryOptions, budgetBytes: number): Promise<void> {
    this.#device.budgetBytes = budgetBytes;
    const tiers = this.#stores.streaming?.tiers;
    tiers?.resize(hostBytes(this.#device, options.slots, options.streaming));
    this.#stores = await openStores(this.#device, this.#drafted, options, { mustStream: true, tiers });
    this.#options = options;
    this.#onMoved();
  }

  /** Brings in every expert, where there is a place for each. */
  async loadAll(onRecord: (sizeBytes: number) => void, signal: AbortSignal | undefined): Promise<void> {
    const { store } = this.#stores;
    const { order } = this.#drafted.experts ?? {};
    const { place } = this.#testing;
    const most = Math.max(1, Math.min(LOADED_TOGETHER, Math.floor(LOADED_BYTES / store.recordBytes)));
    for (let layer = 0; layer < store.layers; layer += 1) {
      const units = store.units(layer);
      for (let first = 0; first < units; first += most) {
        const count = Math.min(most, units - first);
        const wanted = Array.from({ length: count }, (_, index) => {
          const at = first + index;
          return place?.(at, layer) ?? order?.[layer]?.[at] ?? at;
        });
        await this.#load(layer, first, wanted, signal);
        onRecord(count * store.recordBytes);
      }
    }
  }

  /** Brings units of a layer in together, into places from `first` on. */
  async #load(
    layer: number,
    first: number,
    units: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { store, streaming } = this.#stores;
    if (streaming) {
      await Promise.all(units.map((unit) => streaming.streamer.admit(layer, unit, signal)));
      return;
    }
    const read = (unit: number, either: AbortSignal) => this.#read(layer, unit, either);
    for (const [index, record] of (await readTogether(units, read, signal)).entries()) {
      const slot = store.home(layer, first + index);
      store.write(layer, slot, record);
      giveMemory(record);
      store.point(layer, units[index] ?? 0, slot);
      this.#loadedBytes += record.byteLength;
    }
    store.flush(layer);
  }

  /** What `Engine.streaming` returns. */
  report(disk: DiskReport | undefined): StreamingReport {
    const { store, slots, streaming } = this.#stores;
    const { layers, unitsPerLayer, recordBytes } = store;
    const { experts, decode } = this.#drafted;
    invariant(experts, () => 'a model without experts');
    const streamed = streaming?.report() ?? residentReport(store);
    return {
      layers,
      unitsPerLayer,
      slotsPerLayer: slots.places,
      cacheRatio: slots.places / unitsOfToken(experts, decode),
      unitBytes: recordBytes,
      units: Array.from({ length: layers }, (_, layer) => store.units(layer)),
      isComplete: this.isComplete,
      ...streamed,
      readBytes: streamed.readBytes + this.#loadedBytes,
      disk,
    };
  }

  /** Marks every expert as present while kernels are timed. */
  async withAllPresent<R>(run: () => Promise<R>): Promise<R> {
    const { store, scratch } = this.#stores;
    for (const one of [store, scratch]) one?.markAllPresent();
    const result = await run();
    for (const one of [store, scratch]) one?.clear();
    return result;
  }

  dispose(): void {
    this.#close();
    this.#stores.streaming?.tiers.dispose();
  }

  #close(): void {
    const { store, scratch, streaming } = this.#stores;
    streaming?.close();
    scratch?.dispose();
    store.dispose();
  }
}

/** The code of streaming: requested by the first that needs it. */
function loadStreaming() {
  return import('./streaming.ts');
}

function readerOf({ experts }: Drafted, { delay }: StreamTesting): ExpertPlan['read'] {
  invariant(experts, () => 'a model without experts');
  return delay ? delayed(experts.read, delay) : experts.read;
}

function delayed(read: ExpertPlan['read'], delay: () => Promise<void>): ExpertPlan['read'] {
  return async (...asked) => {
    const record = await read(...asked);
    await delay();
    return record;
  };
}

/** How slots are opened: again after a change, or for the first time. */
interface Opening {
  readonly mustStream: boolean; // even where there is a slot for each expert
  readonly tiers?: RecordTiers | undefined; // of the slots before
}

/** Allocates as many slots as planned, or fewer where the device refuses those. */
async function openStores<S extends SlotStore, T extends ExpertSteps>(
  device: ExpertDevice<S, T>,
  drafted: Drafted,
  options: ExpertMemoryOptions,
  opening: Opening,
): Promise<Stores<S, T>> {
  for (let { slots } = options; ;) {
    try {
      return await openJust(device, drafted, { ...options, slots }, opening);
    } catch (error) {
      const isRefused = error instanceof AtomoeError && error.code === 'out-of-memory';
      const fewer = isRefused ? options.fewer(slots) : undefined;
      if (!fewer) throw error;
      slots = fewer;
    }
  }
}

async function openJust<S extends SlotStore, T extends ExpertSteps>(
  device: ExpertDevice<S, T>,
  drafted: Drafted,
  { slots, streaming: options, testing }: ExpertMemoryOptions,
  { mustStream, tiers }: Opening,
): Promise<Stores<S, T>> {
  const { experts } = drafted;
  invariant(experts, () => 'a model without experts');
  const maxBindingBytes = testing.expertBindingBytes;
  const store = await device.openStore(experts, { slots, maxBindingBytes });
  let scratch: S | undefined;
  try {
    // Slots for prompts, where decoding has too few.
    const own = { label: 'scratch', isShared: true, slots: { places: slots.scratch, reserved: 0 } };
    if (slots.scratch > 0) scratch = await device.openStore(experts, { ...own, maxBindingBytes });
    if (!mustStream && !slots.streams) return { slots, store, scratch, streaming: undefined };
    const { Streaming } = await loadStreaming();
    const sources = { tiers, hostBytes: hostBytes(device, slots, options), read: readerOf(drafted, testing) };
    const opened = { slots, store, scratch, options, testing, ...sources };
    const topK = unitsOfToken(experts, drafted.decode);
    const streaming = await Streaming.open(device, drafted, { ...opened, topK });
    return { slots, store, scratch, streaming };
  } catch (error) {
    scratch?.dispose();
    store.dispose();
    throw error;
  }
}

/** Makes the caller's policies of all layers at once, before anything is let go: one may throw. Built-in ones do not. */
function makePolicies(
  { experts, decode }: Drafted,
  streaming: StreamingOptions,
): NonNullable<StreamingOptions['policy']> {
  invariant(experts, () => 'a model without experts');
  const { policy: make, seed } = { ...STREAMING_DEFAULTS, ...streaming };
  if (typeof make !== 'function') return make;
  const topK = unitsOfToken(experts, decode);
  const made = Array.from({ length: experts.layers }, (_, layer) =>
    make({ units: experts.units(layer), topK, layer, seed }),
  );
  return (shape) => made[shape.layer] ?? make(shape);
}

/** Units of one token at most. */
function unitsOfToken(experts: ExpertPlan, { routes }: Drafted['decode']): number {
  return mostUnits({ experts, topK: Math.max(...routes.map(({ ids }) => ids.perToken)) });
}

/** The report of slots in which every expert is, and stays: nothing was counted. */
function residentReport(store: SlotStore): StreamedReport {
  const { layers, unitsPerLayer } = store;
  const states = new Uint8Array(layers * unitsPerLayer).fill(SLOT_STATES.absent);
  for (let layer = 0; layer < layers; layer += 1) {
    const first = layer * unitsPerLayer;
    states.fill(SLOT_STATES.resident, first, first + store.units(layer));
  }
  const tokens = {
    tokens: 0,
    hits: 0,
    misses: 0,
    prefetched: 0,
    evictions: 0,
    aborts: 0,
    stallMs: 0,
    syncMs: 0,
  };
  const guesses = { speculated: 0, adopted: 0, wasted: 0, recall: Array.from({ length: layers }, () => NaN) };
  return { states, ...tokens, ...guesses, uploadedBytes: 0, readBytes: 0, heldBytes: 0 };
}
