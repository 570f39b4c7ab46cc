/** The experts of a loaded model: slots on a device, what streams them, and how both change while the model is in use. */
import { AtomoeError, invariant } from '../../errors.ts';
import type { ExpertPlan } from '../../experts/expert-plan.ts';
import { POLICIES } from '../../experts/policies.ts';
import type { MakePolicy } from '../../experts/policy.ts';
import type { LinkState } from '../../experts/prefetch-budget.ts';
import type { RecordShape } from '../../experts/pools.ts';
import type { Move, SlotStore } from '../../experts/slot-store.ts';
import type { StoreOptions } from '../../experts/store.ts';
import { ExpertStreamer, type RouteObserver } from '../../experts/streamer.ts';
import { RecordTiers } from '../../experts/tiers.ts';
import { SLOT_STATES, type DiskReport, type StreamingOptions, type StreamingReport } from '../api.ts';
import { STREAMING_DEFAULTS } from '../options.ts';
import type { Drafted } from '../load/planning.ts';
import { mostUnits, type SlotPlan } from '../load/slots.ts';
import type { RunAheadCounters } from './streamed-steps.ts';

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

/** Neighbours are asked for together: they may become one request. */
const LOADED_TOGETHER = 16;

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
  openSteps(streamer: ExpertStreamer<S>, options: StepsOptions): T;
}

/** Experts kept beside the slots take no more than this unasked. */
export const MOST_HOST_BYTES = 2 ** 30;

interface Stores<S extends SlotStore, T extends ExpertSteps> {
  readonly slots: SlotPlan;
  readonly store: S;
  readonly scratch: S | undefined;
  readonly streamer: ExpertStreamer<S>;
  readonly steps: T;
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
  readonly #tiers: RecordTiers;
  #stores: Stores<S, T>;
  #options: ExpertMemoryOptions;
  #isLost = false;
  #onMoved: () => void = () => {};

  private constructor(
    device: ExpertDevice<S, T>,
    drafted: Drafted,
    options: ExpertMemoryOptions,
    tiers: RecordTiers,
    stores: Stores<S, T>,
  ) {
    this.#device = device;
    this.#drafted = drafted;
    this.#testing = options.testing;
    this.#options = options;
    this.#tiers = tiers;
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
    const { streaming, testing } = options;
    const tiers = openTiers(drafted, hostBytes(device, options.slots, streaming), testing);
    const stores = await openStores(device, drafted, tiers, options);
    return new ExpertMemory(device, drafted, options, tiers, stores);
  }

  get slots(): SlotPlan {
    return this.#stores.slots;
  }

  get steps(): T {
    return this.#stores.steps;
  }

  get streamer(): ExpertStreamer<S> {
    return this.#stores.streamer;
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
    return this.#tiers;
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
    this.#tiers.resize(hostBytes(this.#device, options.slots, options.streaming));
    this.#stores = await openStores(this.#device, this.#drafted, this.#tiers, options);
    this.#options = options;
    this.#onMoved();
  }

  /** Brings in every expert, where there is a place for each. */
  async loadAll(onRecord: (sizeBytes: number) => void, signal: AbortSignal | undefined): Promise<void> {
    const { place } = this.#testing;
    const { store } = this.#stores;
    const { order } = this.#drafted.experts ?? {};
    for (let layer = 0; layer < store.layers; layer += 1) {
      const units = store.units(layer);
      for (let first = 0; first < units; first += LOADED_TOGETHER) {
        const count = Math.min(LOADED_TOGETHER, units - first);
        const wanted = Array.from({ length: count }, (_, index) => {
          const at = first + index;
          return place?.(at, layer) ?? order?.[layer]?.[at] ?? at;
        });
        await Promise.all(wanted.map((unit) => this.streamer.admit(layer, unit, signal)));
        onRecord(count * store.recordBytes);
      }
    }
  }

  /** What `Engine.streaming` returns. */
  report(disk: DiskReport | undefined): StreamingReport {
    const { store, slots, steps, streamer } = this.#stores;
    const { layers, unitsPerLayer, recordBytes } = store;
    const {
      hits,
      misses,
      prefetched,
      evictions,
      speculated,
      adopted,
      wasted,
      uploads,
      promptLoads,
      stallMs,
    } = streamer.counters;
    const { tokens, aborts, syncMs } = steps.counters;
    return {
      layers,
      unitsPerLayer,
      slotsPerLayer: slots.places,
      cacheRatio: slots.places / streamer.topK,
      unitBytes: recordBytes,
      units: Array.from({ length: layers }, (_, layer) => store.units(layer)),
      states: streamer.describe(SLOT_STATES),
      isComplete: streamer.isComplete,
      tokens,
      hits,
      misses,
      prefetched,
      evictions,
      speculated,
      adopted,
      wasted,
      uploadedBytes: (uploads + promptLoads + speculated) * recordBytes,
      readBytes: this.#tiers.counters.readBytes,
      heldBytes: this.#tiers.heldBytes,
      stallMs,
      syncMs,
      aborts,
      recall: streamer.recall(),
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
    this.#tiers.dispose();
  }

  #close(): void {
    const { store, scratch, steps, streamer } = this.#stores;
    streamer.close();
    steps.dispose();
    scratch?.dispose();
    store.dispose();
  }
}

function openTiers({ experts }: Drafted, hostBudget: number, { delay, link }: StreamTesting): RecordTiers {
  invariant(experts, () => 'a model without experts');
  return new RecordTiers({
    units: experts.unitsPerLayer,
    recordBytes: experts.recordBytes,
    link,
    hostBytes: hostBudget,
    read: delay ? delayed(experts.read, delay) : experts.read,
  });
}

function delayed(read: ExpertPlan['read'], delay: () => Promise<void>): ExpertPlan['read'] {
  return async (...asked) => {
    const record = await read(...asked);
    await delay();
    return record;
  };
}

/** Allocates as many slots as planned, or fewer where the device refuses those. */
async function openStores<S extends SlotStore, T extends ExpertSteps>(
  device: ExpertDevice<S, T>,
  drafted: Drafted,
  tiers: RecordTiers,
  options: ExpertMemoryOptions,
): Promise<Stores<S, T>> {
  for (let { slots } = options; ;) {
    try {
      return await openJust(device, drafted, tiers, { ...options, slots });
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
  tiers: RecordTiers,
  { slots, streaming, testing }: ExpertMemoryOptions,
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
    const streamer = openStreamer(device, drafted, { store, scratch, tiers }, streaming, testing);
    const steps = device.openSteps(streamer, stepsOptions(drafted, slots, streaming, testing));
    return { slots, store, scratch, streamer, steps };
  } catch (error) {
    scratch?.dispose();
    store.dispose();
    throw error;
  }
}

/** Makes the policy of every layer at once, before anything is let go: one of the caller's may throw. */
function makePolicies({ experts, decode }: Drafted, streaming: StreamingOptions): MakePolicy {
  invariant(experts, () => 'a model without experts');
  const { policy, seed } = { ...STREAMING_DEFAULTS, ...streaming };
  const make = policyOf(policy);
  const topK = unitsOfToken(experts, decode);
  const made = Array.from({ length: experts.layers }, (_, layer) =>
    make({ units: experts.units(layer), topK, layer, seed }),
  );
  return (shape) => made[shape.layer] ?? make(shape);
}

function policyOf(policy: NonNullable<StreamingOptions['policy']>): MakePolicy {
  return typeof policy === 'function' ? policy : POLICIES[policy];
}

/** Units of one token at most. */
function unitsOfToken(experts: ExpertPlan, { routes }: Drafted['decode']): number {
  return mostUnits({ experts, topK: Math.max(...routes.map(({ ids }) => ids.perToken)) });
}

function openStreamer<S extends SlotStore, T extends ExpertSteps>(
  device: ExpertDevice<S, T>,
  { experts, decode }: Drafted,
  made: { readonly store: S; readonly scratch: S | undefined; readonly tiers: RecordTiers },
  options: StreamingOptions,
  { poison, observer }: StreamTesting,
): ExpertStreamer<S> {
  invariant(experts, () => 'a model without experts');
  const { policy, seed } = { ...STREAMING_DEFAULTS, ...options };
  return new ExpertStreamer({
    ...made,
    topK: unitsOfToken(experts, decode),
    order: experts.order,
    policy: policyOf(policy),
    seed,
    copy: (moves) => device.copy(moves),
    observer,
    poison:
      poison === undefined
        ? undefined
        : new Uint8Array(new Uint32Array(experts.recordBytes / 4).fill(poison).buffer),
  });
}

function stepsOptions(
  { experts, expertLayers, lossy }: Drafted,
  { places, reserved }: SlotPlan,
  options: StreamingOptions,
  { mistake }: StreamTesting,
): StepsOptions {
  invariant(experts, () => 'a model without experts');
  const { lookahead, runAhead } = { ...STREAMING_DEFAULTS, ...options };
  return {
    // Where units have to leave and no slot is reserved, a guess would have nowhere to go.
    lookahead: reserved === 0 && places < experts.unitsPerLayer ? 0 : lookahead,
    runAhead,
    unitExperts: expertLayers.map((bank, layer) => bank.experts / experts.units(layer)),
    mistake,
    dropColdBelow: lossy.dropColdBelow,
  };
}
