/** The experts of a loaded model: GPU slots, what streams them, and how both change while the model is in use. */
import { AtomoeError, invariant } from '../../errors.ts';
import { POLICIES } from '../../experts/policies.ts';
import type { MakePolicy } from '../../experts/policy.ts';
import type { LinkState } from '../../experts/prefetch-budget.ts';
import { ExpertStore } from '../../experts/store.ts';
import { ExpertStreamer, type RouteObserver } from '../../experts/streamer.ts';
import { RecordTiers } from '../../experts/tiers.ts';
import type { Buffer } from '../../gpu/buffer.ts';
import type { Gpu } from '../../gpu/device.ts';
import { submit } from '../../gpu/recorder.ts';
import type { ExpertWeights } from '../../graph/experts.ts';
import type { RecordLayout } from '../../weights/record.ts';
import type { Ref } from '../../graph/tensor.ts';
import { SLOT_STATES, type DiskReport, type StreamingOptions, type StreamingReport } from '../api.ts';
import { STREAMING_DEFAULTS } from '../options.ts';
import type { Drafted } from '../load/planning.ts';
import { mostUnits, type SlotPlan } from '../load/slots.ts';
import { StreamedSteps } from './streamed-steps.ts';
import type { ExpertPlan } from '../load/expert-plan.ts';

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

/** Of experts kept in memory where not all of them are on the GPU; where they are, none need be. */
const DEFAULT_HOST_BYTES = 2 ** 30;

/** Neighbours are asked for together: they may become one request. */
const LOADED_TOGETHER = 16;

function hostBytes({ streams }: SlotPlan, { hostBudget }: StreamingOptions): number {
  return hostBudget ?? (streams ? DEFAULT_HOST_BYTES : 0);
}

/** Experts as kernels bind them, in whichever store is in use when they are bound. */
class BoundExperts implements ExpertWeights {
  readonly unitsPerLayer: number;
  readonly table: Ref;
  readonly #current: () => ExpertStore;

  constructor(current: () => ExpertStore) {
    this.unitsPerLayer = current().unitsPerLayer;
    this.#current = current;
    this.table = lazily(() => current().table);
  }

  units(layer: number): number {
    return this.#current().units(layer);
  }

  layout(layer: number): RecordLayout {
    return this.#current().layout(layer);
  }

  pools(layer: number): readonly Ref[] {
    // How many there are follows from the model and the device, so it is the same for every store.
    return this.#current()
      .pools(layer)
      .map((_, index) => lazily(() => this.#current().pools(layer)[index]));
  }
}

/** A buffer that is looked up when it is bound. */
function lazily(current: () => Ref | undefined): Ref {
  return {
    kind: 'buffer',
    get buffer(): Buffer {
      const ref = current();
      invariant(ref?.kind === 'buffer', () => 'no expert buffer');
      return ref.buffer;
    },
  };
}

interface Stores {
  readonly slots: SlotPlan;
  readonly store: ExpertStore;
  readonly scratch: ExpertStore | undefined;
  readonly steps: StreamedSteps;
}

export interface ExpertMemoryOptions {
  readonly slots: SlotPlan;
  readonly fewer: (slots: SlotPlan) => SlotPlan | undefined;
  readonly streaming: StreamingOptions;
  readonly testing: StreamTesting;
}

export class ExpertMemory {
  readonly forTokens: ExpertWeights;
  readonly forPrompts: ExpertWeights;
  readonly #gpu: Gpu;
  readonly #drafted: Drafted;
  readonly #testing: StreamTesting;
  readonly #tiers: RecordTiers;
  #stores: Stores;
  #onMoved: () => void = () => {};

  private constructor(
    gpu: Gpu,
    drafted: Drafted,
    testing: StreamTesting,
    tiers: RecordTiers,
    stores: Stores,
  ) {
    this.#gpu = gpu;
    this.#drafted = drafted;
    this.#testing = testing;
    this.#tiers = tiers;
    this.#stores = stores;
    this.forTokens = new BoundExperts(() => this.#stores.store);
    this.forPrompts = new BoundExperts(() => this.#stores.scratch ?? this.#stores.store);
  }

  /**
   * Allocates the slots, fewer where the GPU refuses as many. No expert is loaded yet.
   *
   * @throws {AtomoeError} out-of-memory; limit-too-small
   */
  static async open(gpu: Gpu, drafted: Drafted, options: ExpertMemoryOptions): Promise<ExpertMemory> {
    const { streaming, testing } = options;
    const tiers = openTiers(drafted, hostBytes(options.slots, streaming), testing);
    const stores = await openStores(gpu, drafted, tiers, options);
    return new ExpertMemory(gpu, drafted, testing, tiers, stores);
  }

  get slots(): SlotPlan {
    return this.#stores.slots;
  }

  get steps(): StreamedSteps {
    return this.#stores.steps;
  }

  get streamer(): ExpertStreamer {
    return this.#stores.steps.streamer;
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
   *   then the model has to be loaded again
   * @throws {AtomoeError} bad-input - the caller's policy throws, or returns none; then nothing has changed
   */
  prepareResize(
    slots: SlotPlan,
    fewer: ExpertMemoryOptions['fewer'],
    streaming: StreamingOptions,
    budgetBytes: number,
  ): () => Promise<void> {
    const policy = makePolicies(this.#drafted, streaming);
    return async () => {
      this.#gpu.budgetBytes = budgetBytes;
      this.#close();
      this.#tiers.resize(hostBytes(slots, streaming));
      const options = { slots, fewer, streaming: { ...streaming, policy }, testing: this.#testing };
      this.#stores = await openStores(this.#gpu, this.#drafted, this.#tiers, options);
      this.#onMoved();
    };
  }

  /** Brings in every expert, where there is a place for each. */
  async loadAll(onRecord: (sizeBytes: number) => void, signal: AbortSignal | undefined): Promise<void> {
    const { place } = this.#testing;
    const { store } = this.#stores;
    for (let layer = 0; layer < store.layers; layer += 1) {
      const units = store.units(layer);
      for (let first = 0; first < units; first += LOADED_TOGETHER) {
        const count = Math.min(LOADED_TOGETHER, units - first);
        const wanted = Array.from({ length: count }, (_, at) => place?.(first + at, layer) ?? first + at);
        await Promise.all(wanted.map((unit) => this.streamer.admit(layer, unit, signal)));
        onRecord(count * store.recordBytes);
      }
    }
  }

  /** What `Engine.streaming` tells. */
  report(disk: DiskReport | undefined): StreamingReport {
    const { store, slots, steps } = this.#stores;
    const { layers, unitsPerLayer, recordBytes } = store;
    const { streamer } = steps;
    const { hits, misses, evictions, speculated, adopted, wasted, uploads, promptLoads, stallMs } =
      streamer.counters;
    const { tokens, aborts, syncMs } = steps.counters;
    return {
      layers,
      unitsPerLayer,
      slotsPerLayer: slots.places,
      cacheRatio: slots.places / streamer.topK,
      unitBytes: recordBytes,
      states: streamer.describe(SLOT_STATES),
      isComplete: streamer.isComplete,
      tokens,
      hits,
      misses,
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

  /** While kernels are timed, every expert seems to be there. */
  async pretending<T>(run: () => Promise<T>): Promise<T> {
    const { store, scratch } = this.#stores;
    for (const one of [store, scratch]) one?.pretendAll();
    const result = await run();
    for (const one of [store, scratch]) one?.clear();
    return result;
  }

  dispose(): void {
    this.#close();
    this.#tiers.dispose();
  }

  #close(): void {
    const { store, scratch, steps } = this.#stores;
    steps.dispose();
    scratch?.dispose();
    store.dispose();
  }
}

function openTiers(
  { experts, context }: Drafted,
  hostBudget: number,
  { delay, link }: StreamTesting,
): RecordTiers {
  invariant(experts, () => 'a model without experts');
  return new RecordTiers({
    units: experts.unitsPerLayer,
    recordBytes: experts.recordBytes,
    link,
    hostBytes: hostBudget,
    read: async (layer, unit, signal) => {
      const record = await experts.read(layer, unit, { ...context, signal });
      await delay?.();
      return record;
    },
  });
}

/** Allocates as many slots as planned, or fewer where the GPU refuses those. */
async function openStores(
  gpu: Gpu,
  drafted: Drafted,
  tiers: RecordTiers,
  options: ExpertMemoryOptions,
): Promise<Stores> {
  for (let { slots } = options; ;) {
    try {
      return await openJust(gpu, drafted, tiers, { ...options, slots });
    } catch (error) {
      const isRefused = error instanceof AtomoeError && error.code === 'out-of-memory';
      const fewer = isRefused ? options.fewer(slots) : undefined;
      if (!fewer) throw error;
      slots = fewer;
    }
  }
}

async function openJust(
  gpu: Gpu,
  drafted: Drafted,
  tiers: RecordTiers,
  { slots, streaming, testing }: ExpertMemoryOptions,
): Promise<Stores> {
  const { experts } = drafted;
  invariant(experts, () => 'a model without experts');
  const maxBindingBytes = testing.expertBindingBytes;
  const store = await ExpertStore.open(gpu, experts, { slots, maxBindingBytes });
  let scratch: ExpertStore | undefined;
  try {
    scratch = await openScratch(gpu, experts, slots, maxBindingBytes);
    const steps = openSteps(gpu, drafted, { store, scratch, tiers }, streaming, testing);
    return { slots, store, scratch, steps };
  } catch (error) {
    scratch?.dispose();
    store.dispose();
    throw error;
  }
}

/** Slots for prompts, where decoding has too few. */
async function openScratch(
  gpu: Gpu,
  experts: ExpertPlan,
  { scratch }: SlotPlan,
  maxBindingBytes: number | undefined,
): Promise<ExpertStore | undefined> {
  if (scratch === 0) return undefined;
  const slots = { places: scratch, reserved: 0 };
  return ExpertStore.open(gpu, experts, { label: 'scratch', slots, isShared: true, maxBindingBytes });
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

function openSteps(
  gpu: Gpu,
  { experts, expertLayers, decode, chunkTokens, lossy }: Drafted,
  made: { store: ExpertStore; scratch: ExpertStore | undefined; tiers: RecordTiers },
  options: StreamingOptions,
  { poison, mistake, observer }: StreamTesting,
): StreamedSteps {
  invariant(experts, () => 'a model without experts');
  const { policy, seed, lookahead, runAhead } = { ...STREAMING_DEFAULTS, ...options };
  const { routes } = decode;
  const topK = unitsOfToken(experts, decode);
  const streamer = new ExpertStreamer({
    ...made,
    topK,
    policy: policyOf(policy),
    seed,
    copy: (copies) => submit(gpu, [], copies),
    observer,
    poison:
      poison === undefined
        ? undefined
        : new Uint8Array(new Uint32Array(experts.recordBytes / 4).fill(poison).buffer),
  });
  return new StreamedSteps({
    gpu,
    streamer,
    routes,
    lookahead,
    unitExperts: expertLayers.map(({ bank }, layer) => bank.experts / experts.units(layer)),
    chunkTokens,
    runAhead,
    mistake,
    dropColdBelow: lossy.dropColdBelow,
  });
}
