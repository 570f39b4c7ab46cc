/** Experts in WebAssembly memory: what streaming needs of the device, and how steps use them. */
import { AtomoeError } from '../../errors.ts';
import type { KnownStep } from '../../experts/prefetch.ts';
import type { RecordShape } from '../../experts/pools.ts';
import type { Move } from '../../experts/slot-store.ts';
import type { StoreOptions } from '../../experts/store.ts';
import type { ExpertStreamer } from '../../experts/streamer.ts';
import type { RouteOutputs } from '../../graph/node.ts';
import { NO_EXPERT } from '../../graph/ops/skip-light.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { SimdModule } from '../../simd/memory.ts';
import type { SimdExperts, Wave } from '../../simd/run.ts';
import { SimdStore } from '../../simd/store.ts';
import { ChosenUnits } from './chosen-units.ts';
import { MOST_HOST_BYTES, type ExpertDevice, type ExpertMemory, type StepsOptions } from './expert-memory.ts';
import type { RunAheadCounters } from './streamed-steps.ts';

/** Expert memory whose slots are in WebAssembly memories. */
export type SimdExpertMemory = ExpertMemory<SimdStore, SimdSteps>;

/** What the device needs to know of the model beside its experts. */
export interface SimdDeviceOptions {
  readonly module: SimdModule;
  readonly budgetBytes: number;
  readonly fixedBytes: number; // of it, planned for all but experts
  /** Bytes of everything but experts, as they are now. */
  readonly otherBytes: () => number;
  readonly routes: readonly RouteOutputs[]; // [bank], of the graph for single tokens
  readonly memoryBytes?: number | undefined; // for tests: experts that share a memory
}

/** Records that were copied to their slots stay in memory until the collector runs: about so much at a time. */
const UNCOLLECTED_BYTES = 128 * 2 ** 20;

/** Holds experts in WebAssembly memories, within a budget. */
export class SimdDevice implements ExpertDevice<SimdStore, SimdSteps> {
  budgetBytes: number;
  readonly #options: SimdDeviceOptions;
  readonly #open = new Set<SimdStore>();

  constructor(options: SimdDeviceOptions) {
    this.#options = options;
    this.budgetBytes = options.budgetBytes;
  }

  /** Slots and what is kept beside them are the same memory: the budget bounds both, and what is not collected yet. */
  hostBytes(slotBytes: number): number {
    const left = this.budgetBytes - this.#options.fixedBytes - slotBytes - UNCOLLECTED_BYTES;
    return Math.min(MOST_HOST_BYTES, Math.max(0, left));
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- what it throws has to reject
  async openStore(shape: RecordShape, { slots, isShared }: StoreOptions): Promise<SimdStore> {
    const counts = slots ?? { places: shape.unitsPerLayer, reserved: 0 };
    const layers = isShared ? 1 : shape.layers;
    const sizeBytes = layers * (counts.places + counts.reserved) * shape.recordBytes;
    const usedBytes = [...this.#open].reduce(
      (sum, store) => sum + store.sizeBytes,
      this.#options.otherBytes(),
    );
    if (usedBytes + sizeBytes > this.budgetBytes) {
      throw new AtomoeError(
        'out-of-memory',
        `the experts take ${sizeBytes} bytes beside ${usedBytes}, the memory budget is ${this.budgetBytes}; choose a ` +
          'larger memoryBudget or a smaller contextTokens, or quantize',
      );
    }
    const store = new SimdStore(this.#options.module, shape, {
      slots: counts,
      memoryBytes: this.#options.memoryBytes,
      ...(isShared === undefined ? {} : { isShared }),
      onDispose: () => this.#open.delete(store),
    });
    this.#open.add(store);
    return store;
  }

  copy(moves: readonly Move<SimdStore>[]): void {
    for (const move of moves) SimdStore.copy(move);
  }

  openSteps(streamer: ExpertStreamer<SimdStore>, options: StepsOptions): Promise<SimdSteps> {
    return Promise.resolve(new SimdSteps(streamer, this.#options.routes, options));
  }
}

/** What a layer of the step that is running has besides its choice. */
interface TokenOutputs {
  readonly read: (tensor: Tensor) => Uint32Array;
  readonly look: readonly Tensor[]; // predictions, the nearest layer first
  readonly weights: Float32Array | undefined; // where experts may be left out
}

/** Brings experts in when a layer asks for them: the graph runs on this thread, so nothing has to run ahead. */
export class SimdSteps {
  readonly counters: RunAheadCounters = {
    tokens: 0,
    dropped: 0,
    aborts: 0,
    resumes: 0,
    aheadLayers: 0,
    syncMs: 0,
  };
  readonly #streamer: ExpertStreamer<SimdStore>;
  readonly #options: StepsOptions;
  readonly #units: ChosenUnits;

  constructor(streamer: ExpertStreamer<SimdStore>, routes: readonly RouteOutputs[], options: StepsOptions) {
    this.#streamer = streamer;
    this.#options = options;
    const chosen = routes.flatMap(({ ids, look }) => [ids, ...look].map(({ perToken }) => perToken));
    this.#units = new ChosenUnits(streamer.store, options.unitExperts, Math.max(...chosen));
  }

  /** Layers ahead that single tokens predict. */
  get lookahead(): number {
    return this.#options.lookahead;
  }

  /** A step of one token begins, of whose routes something is known. It ends with `end`, also where it fails. */
  begin(known: KnownStep, signal: AbortSignal | undefined): void {
    known.begin(this.#streamer, this.#units, signal);
  }

  /** A step of a prompt begins, of so many tokens. */
  beginPrompt(known: KnownStep, tokens: number, signal: AbortSignal | undefined): void {
    known.beginPrompt(this.#streamer, this.#units, tokens, signal);
  }

  /** Waits for what is still on its way to slots. */
  async end(): Promise<void> {
    await this.#streamer.ahead?.settle();
  }

  /**
   * One token: brings in what its layer asks for, and asks for what the next layers may want.
   *
   * @param words - [topK], changed where experts are left out
   * @throws {AtomoeError} network, integrity and the like
   */
  useToken(
    bank: number,
    words: Uint32Array,
    { read, look, weights }: TokenOutputs,
    wave: Wave,
    signal: AbortSignal | undefined,
  ): void | Promise<void> {
    if (bank === 0) this.counters.tokens += 1;
    if (weights && !this.#streamer.ahead?.has(bank)) this.#dropLight(bank, words, weights);
    const { list } = this.#units;
    const count = this.#units.of(bank, words, 0, words.length);
    const loading = this.#streamer.demand(bank, list, count, signal);
    for (const [ahead, ids] of look.slice(0, this.lookahead).entries()) {
      const layer = bank + 1 + ahead;
      if (this.#streamer.ahead?.has(layer)) continue;
      const guessed = this.#units.of(layer, read(ids), 0, ids.perToken);
      this.#options.mistake?.(layer, list, guessed);
      this.#streamer.predict(layer, list, guessed);
    }
    return loading ? loading.then(wave) : wave();
  }

  /** Many tokens: all that they use, in waves where it does not fit at once. @throws as `useToken` */
  useTokens(
    bank: number,
    ids: Uint32Array,
    { tokens, canSplit }: { readonly tokens: number; readonly canSplit: boolean },
    wave: Wave,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const uses = this.#units.uses(bank, ids, tokens);
    return this.#streamer.stream(bank, uses, tokens, canSplit, wave, signal);
  }

  dispose(): void {}

  /** Strikes out the experts that are missing and light: absent experts add nothing. */
  #dropLight(bank: number, words: Uint32Array, weights: Float32Array): void {
    const dropBelow = this.#options.dropColdBelow / Math.min(words.length, this.#streamer.store.units(bank));
    for (const [rank, id] of words.entries()) {
      const isKept = (weights[rank] ?? 0) >= dropBelow;
      if (isKept || this.#streamer.isPresent(bank, this.#units.unitOf(bank, id))) continue;
      words[rank] = NO_EXPERT;
      this.counters.dropped += 1;
    }
  }
}

/** What streaming reads of a step of one token while it runs. */
export interface TokenStep {
  words(tensor: Tensor): Uint32Array;
  floats(tensor: Tensor): Float32Array;
}

/** The experts as the graph of single tokens sees them. */
export function tokenExperts(
  memory: SimdExpertMemory,
  step: TokenStep,
  { routes, dropsCold }: { readonly routes: readonly RouteOutputs[]; readonly dropsCold: boolean },
): SimdExperts {
  return {
    ...storeOf(() => memory.store),
    use(bank, ids, _tokens, wave, signal) {
      if (memory.isComplete) return wave();
      const { look = [], weights: shares } = routes[bank] ?? {};
      const weights = dropsCold ? shares : undefined;
      const read = (tensor: Tensor) => step.words(tensor);
      const outputs = { read, look, weights: weights && step.floats(weights) };
      return memory.steps.useToken(bank, ids.slice(), outputs, wave, signal);
    },
  };
}

/** The experts as graphs of prompts see them. */
export function promptExperts(memory: SimdExpertMemory, canSplit: boolean): SimdExperts {
  return {
    ...storeOf(() => memory.forPrompts),
    use(bank, ids, tokens, wave, signal) {
      if (memory.isComplete) return wave();
      return memory.steps.useTokens(bank, ids, { tokens, canSplit }, wave, signal);
    },
  };
}

/** Whichever store is in use: a resize brings another one. */
function storeOf(current: () => SimdStore): Omit<SimdExperts, 'use'> {
  return {
    units: (bank) => current().units(bank),
    layout: (bank) => current().layout(bank),
    memory: (bank) => current().memory(bank),
    table: (bank) => current().table(bank),
  };
}
