/** Experts in WebAssembly memory: what streaming needs of the device, and how steps use them. */
import { AtomoeError } from '../../errors.ts';
import type { RecordShape } from '../../experts/pools.ts';
import type { Move } from '../../experts/slot-store.ts';
import type { StoreOptions } from '../../experts/store.ts';
import type { ExpertStreamer } from '../../experts/streamer.ts';
import type { RouteOutputs } from '../../graph/node.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { SimdModule } from '../../simd/memory.ts';
import type { SimdExperts } from '../../simd/run.ts';
import { SimdStore } from '../../simd/store.ts';
import type { SimdSteps } from './simd-steps.ts';
import { MOST_HOST_BYTES, type ExpertDevice, type ExpertMemory, type StepsOptions } from './expert-memory.ts';

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

  async openSteps(streamer: ExpertStreamer<SimdStore>, options: StepsOptions): Promise<SimdSteps> {
    const { SimdSteps } = await import('./simd-steps.ts');
    return new SimdSteps(streamer, this.#options.routes, options);
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
      const { look = [], decided = [], weights: shares } = routes[bank] ?? {};
      const weights = dropsCold ? shares : undefined;
      const read = (tensor: Tensor) => step.words(tensor);
      const outputs = { read, look, decided, weights: weights && step.floats(weights) };
      return memory.steps.useToken(bank, ids.slice(), outputs, wave, signal);
    },
  };
}

/** What streaming reads of a step of many tokens while it runs. */
export interface PromptStep {
  readonly canSplit: boolean;
  readonly routes: readonly RouteOutputs[];
  words(tensor: Tensor, tokens: number): Uint32Array;
}

/** The experts as graphs of prompts see them. */
export function promptExperts(
  memory: SimdExpertMemory,
  { canSplit, routes, words }: PromptStep,
): SimdExperts {
  return {
    ...storeOf(() => memory.forPrompts),
    use(bank, ids, tokens, wave, signal) {
      if (memory.isComplete) return wave();
      const read = (tensor: Tensor) => words(tensor, tokens);
      const outputs = { tokens, canSplit, read, decided: routes[bank]?.decided ?? [] };
      return memory.steps.useTokens(bank, ids, outputs, wave, signal);
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
