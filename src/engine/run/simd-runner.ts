/** The same graphs in WebAssembly: what runs where there is no GPU. */
import { invariant } from '../../errors.ts';
import { buildGraph } from '../../blocks/family.ts';
import { tensorSizeBytes } from '../../graph/liveness.ts';
import { recordOf, type ModelGraph, type Step } from '../../graph/node.ts';
import { markSeen, NOT_FINITE, parseRecord, SEEN } from '../../graph/ops/sample.ts';
import { nextOf, type Tensor } from '../../graph/tensor.ts';
import { SimdExecutor, type SimdResources } from '../../simd/executor.ts';
import type { Address } from '../../simd/kernels.ts';
import type { SimdMemory, SimdModule } from '../../simd/memory.ts';
import { Scratch } from '../../simd/scratch.ts';
import { SimdStore } from '../../simd/store.ts';
import type { AdapterReport, LoadProgress, LossyReport, MemoryReport, TokenRoutes } from '../api.ts';
import type { Drafted } from '../load/planning.ts';
import { DenseWeights } from '../load/simd-load.ts';
import { Progress } from './progress.ts';
import type { Runner, RunnerState, StepRequest, StepResult } from './runner.ts';

/** One session's states: their places in the main memory. */
class SimdState implements RunnerState {
  readonly places = new Map<string, Address>();
  readonly progress: Progress;
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #memory: SimdMemory;
  readonly #onDispose: () => void;
  #isDisposed = false;

  /** @throws {AtomoeError} out-of-memory */
  constructor(graph: ModelGraph, memory: SimdMemory, onDispose: () => void) {
    this.progress = new Progress(graph.tensors);
    this.#memory = memory;
    this.#onDispose = onDispose;
    const states = graph.tensors.filter(({ role }) => role === 'state');
    this.#sizes = new Map(states.map((tensor) => [tensor.name, tensorSizeBytes(tensor, 0, 'f32')]));
    try {
      for (const [name, sizeBytes] of this.#sizes) this.places.set(name, memory.alloc(sizeBytes));
    } catch (error) {
      this.#free();
      throw error;
    }
    this.clear(this.#sizes.keys());
  }

  get sizeBytes(): number {
    return [...this.#sizes.values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0);
  }

  /** Sets states to zero. */
  clear(names: Iterable<string>): void {
    for (const name of names) {
      const at = this.at(name);
      this.#memory.bytes.fill(0, at, at + (this.#sizes.get(name) ?? 0));
    }
  }

  at(name: string): Address {
    const at = this.places.get(name);
    invariant(at !== undefined, () => `no state ${name}`);
    return at;
  }

  /** What a step wrote of replaced states is what the next one reads. */
  swap(): void {
    for (const tensor of this.progress.replaced) {
      const { name } = nextOf(tensor);
      const [old, next] = [this.at(tensor.name), this.at(name)];
      this.places.set(tensor.name, next);
      this.places.set(name, old);
    }
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#free();
    this.#onDispose();
  }

  #free(): void {
    for (const [name, at] of this.places) this.#memory.free(at, this.#sizes.get(name) ?? 0);
    this.places.clear();
  }
}

interface Parts {
  readonly drafted: Drafted;
  readonly module: SimdModule;
  readonly dense: DenseWeights;
  readonly store: SimdStore | undefined;
}

export class SimdRunner implements Runner {
  readonly adapter: AdapterReport;
  readonly contextTokens: number;
  readonly chunkTokens: number;
  readonly #parts: Parts;
  readonly #resources: SimdResources;
  readonly #decode: SimdExecutor;
  readonly #prefill: SimdExecutor;
  #allLogits: SimdExecutor | undefined;
  #statesBytes = 0;

  private constructor(parts: Parts) {
    const { drafted, dense, module, store } = parts;
    this.#parts = parts;
    this.contextTokens = drafted.contextTokens;
    this.chunkTokens = drafted.chunkTokens;
    this.adapter = {
      device: 'cpu',
      name: `WebAssembly SIMD (${module.build})`,
      adapterClass: 'software',
      f16: false,
      subgroups: false,
      maxBindingBytes: 0,
    };
    this.#resources = {
      main: dense.main,
      contextTokens: drafted.contextTokens,
      weight: (weight) => dense.get(weight),
      experts: store && {
        units: (bank) => store.units(bank),
        layout: (bank) => store.layout(bank),
        memory: (bank) => store.memory(bank),
        table: (bank) => store.table(bank),
        use: (_bank, _ids, _tokens, wave) => wave(),
      },
      scratch: new Scratch(),
    };
    this.#decode = new SimdExecutor(drafted.decode, this.#resources, 1);
    this.#prefill = new SimdExecutor(drafted.prefill, this.#resources, drafted.chunkTokens);
  }

  /** @throws {AtomoeError} bad-file; non-finite; out-of-memory; network and the like */
  static async open(
    drafted: Drafted,
    module: SimdModule,
    onProgress: (progress: LoadProgress) => void,
  ): Promise<SimdRunner> {
    const { context, decode, experts, checkpoint } = drafted;
    const totalBytes = checkpoint.totalBytes;
    let doneBytes = 0;
    const advance = (bytes: number) => {
      context.signal?.throwIfAborted();
      doneBytes = Math.min(totalBytes, doneBytes + bytes);
      const file = checkpoint.files[0]?.name ?? '';
      onProgress({ kind: 'downloading', doneBytes, totalBytes, modelBytes: totalBytes, file });
    };
    const dense = new DenseWeights(module);
    await dense.read(decode, context, advance);
    const store = experts && new SimdStore(module, experts);
    for (let layer = 0; store && experts && layer < experts.layers; layer += 1) {
      for (let unit = 0; unit < experts.units(layer); unit += 1) {
        const record = await experts.read(layer, unit, context.signal);
        const slot = store.home(layer, unit);
        store.write(layer, slot, record);
        store.point(layer, unit, slot);
        advance(record.byteLength);
      }
    }
    onProgress({ kind: 'ready' });
    return new SimdRunner({ drafted, module, dense, store });
  }

  /** Ops that have no kernel yet, of those that ran so far. */
  get byReference(): readonly string[] {
    return [...new Set([this.#decode, this.#prefill].flatMap(({ byReference }) => byReference))];
  }

  openState(): Promise<RunnerState> {
    const { drafted, dense } = this.#parts;
    const state = new SimdState(drafted.decode, dense.main, () => (this.#statesBytes -= state.sizeBytes));
    this.#statesBytes += state.sizeBytes;
    return Promise.resolve(state);
  }

  rewindTo(state: RunnerState, past: number): number {
    const own = ownState(state);
    return own.progress.rewindTo(past, () => own.clear(own.progress.replaced.map(({ name }) => name)));
  }

  setSeen(state: RunnerState, ids: Iterable<number>): void {
    const own = ownState(state);
    const words = markSeen(this.#parts.drafted.spec.vocab, ids);
    const at = own.places.get(SEEN);
    if (at !== undefined) this.#parts.dense.main.words(at, words.length).set(words);
  }

  async prefill(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<void> {
    await this.#run(this.#executor(request), state, request, signal);
  }

  async step(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<StepResult> {
    const { vocab } = this.#parts.drafted.spec;
    const executor = this.#executor(request);
    const graph = request.ids.length === 1 ? this.#parts.drafted.decode : this.#parts.drafted.prefill;
    await this.#run(executor, state, request, signal);
    const record = executor.words(recordOf(graph), 1);
    return {
      best: record[0] ?? NOT_FINITE,
      candidates: request.candidates ? parseRecord(record, vocab) : undefined,
      routes: request.routes ? routesOf(graph, executor, request.ids.length) : undefined,
      logits: () => Promise.resolve(executor.floats(graph.logits, 1)),
    };
  }

  async allLogits(state: RunnerState, request: StepRequest): Promise<Float32Array> {
    const { family, spec, contextTokens, lossy } = this.#parts.drafted;
    const purpose = { logits: 'all', sample: false, contextTokens, skipBelow: lossy.skipBelow } as const;
    const maxTokens = this.chunkTokens;
    this.#allLogits ??= new SimdExecutor(buildGraph(family, spec, purpose), this.#resources, maxTokens);
    const executor = this.#allLogits;
    const { graph } = executor;
    const { logits } = graph as ModelGraph;
    const all = new Float32Array(request.ids.length * spec.vocab);
    for (let from = 0; from < request.ids.length; from += maxTokens) {
      const ids = request.ids.slice(from, from + maxTokens);
      await this.#run(executor, state, { ...request, ids, past: request.past + from }, undefined);
      all.set(executor.floats(logits, ids.length), from * spec.vocab);
    }
    return all;
  }

  memoryReport(): MemoryReport {
    const { dense, store } = this.#parts;
    const expertsBytes = store?.sizeBytes ?? 0;
    const activationsBytes =
      this.#decode.sizeBytes + this.#prefill.sizeBytes + (this.#allLogits?.sizeBytes ?? 0);
    const kvCacheBytes = this.#statesBytes;
    return {
      totalBytes: dense.sizeBytes + expertsBytes,
      weightsBytes: dense.sizeBytes - activationsBytes - kvCacheBytes,
      expertsBytes,
      kvCacheBytes,
      activationsBytes,
      stagingBytes: 0,
    };
  }

  lossyReport(): LossyReport | undefined {
    const { skipBelow } = this.#parts.drafted.lossy;
    return skipBelow > 0 ? { skipBelow, dropColdBelow: 0, dropped: 0 } : undefined;
  }

  dispose(): void {
    this.#parts.store?.dispose();
  }

  #executor({ ids }: StepRequest): SimdExecutor {
    return ids.length === 1 ? this.#decode : this.#prefill;
  }

  async #run(
    executor: SimdExecutor,
    state: RunnerState,
    { ids, past, penalty, temperature, candidates }: StepRequest,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const step: Step = { tokens: ids.length, past, penalty, temperature, candidates };
    const own = ownState(state);
    own.progress.begin(past);
    await executor.run(step, ids, own.places, signal);
    own.swap();
    own.progress.commit(past, ids.length);
  }
}

function ownState(state: RunnerState): SimdState {
  invariant(state instanceof SimdState, () => 'a session of another engine');
  return state;
}

/** The experts of the last token, layer by layer. */
function routesOf({ routes }: ModelGraph, executor: SimdExecutor, tokens: number): TokenRoutes {
  const from = (tensor: Tensor) => (tokens - 1) * tensor.perToken;
  return {
    ids: routes.map(({ ids }) => Array.from(executor.words(ids, tokens).subarray(from(ids)))),
    weights: routes.map(({ weights }) =>
      Array.from(executor.floats(weights, tokens).subarray(from(weights))),
    ),
  };
}
