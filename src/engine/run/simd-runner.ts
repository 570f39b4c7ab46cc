/** The same graphs in WebAssembly: what runs where there is no GPU. */
import { invariant } from '../../errors.ts';
import { plainStep, recordOf, type Graph, type ModelGraph, type Step } from '../../graph/node.ts';
import { markSeen, NOT_FINITE, parseRecord, SEEN } from '../../graph/ops/sample.ts';
import type { Bounds } from '../../graph/weight-parts.ts';
import type { Tensor, Weight } from '../../graph/tensor.ts';
import { SimdExecutor, type SimdResources } from '../../simd/executor.ts';

import type { SimdModule } from '../../simd/memory.ts';
import { Scratch } from '../../simd/scratch.ts';
import type { SimdExperts } from '../../simd/run.ts';
import type {
  AdapterReport,
  LoadProgress,
  LossyReport,
  MemoryReport,
  StreamingOptions,
  TokenRoutes,
} from '../api.ts';
import { simdAdapter } from '../load/adapter-report.ts';
import { downloadProgress } from '../load/progress.ts';
import type { SlotPlan } from '../load/slots.ts';
import { hookedGraphs, logitsGraph, type HookedGraphs } from '../load/hooked-graphs.ts';
import type { Drafted } from '../load/planning.ts';
import { DenseWeights } from '../load/simd-load.ts';
import { ExpertMemory, type StreamTesting } from './expert-memory.ts';
import {
  promptExperts,
  SimdDevice,
  tokenExperts,
  type SimdExpertMemory,
  type TokenStep,
} from './simd-experts.ts';
import { embeddingPart, LOOKUP_TOKENS, lookUp, type EmbeddingPart } from './embedding-part.ts';
import { embeddedOf } from './given-embedding.ts';
import { givenInputs } from './given-tensors.ts';
import { hookArrays } from './hooks.ts';
import { knownStep } from './known-step.ts';
import {
  DRAFT_TOKENS,
  type Runner,
  type RunnerState,
  type StateCopies,
  type StepRequest,
  type StepResult,
} from './runner.ts';
import { statePartsOf } from './saved-state.ts';
import { SimdState } from './simd-state.ts';
import { stepRoutes, tokenRoutes } from './token-routes.ts';

/** What runs the graphs of single tokens and of prompts. */
interface Executors {
  readonly decode: SimdExecutor<ModelGraph>;
  readonly prefill: SimdExecutor<ModelGraph>;
}

/** How a model is brought into WebAssembly memory. */
export interface SimdLoadOptions {
  readonly module: SimdModule;
  readonly onProgress: (progress: LoadProgress) => void;
  readonly slots: SlotPlan | undefined;
  readonly fewer: (slots: SlotPlan) => SlotPlan | undefined; // where the memory is refused
  readonly streaming: StreamingOptions;
  readonly budgetBytes: number;
  readonly fixedBytes: number; // of it, planned for all but experts
  readonly int8: boolean; // lossy: activations of 8 bits for quantised weights
  readonly testing: StreamTesting;
  readonly bounds?: Bounds | undefined; // for tests
}

interface Parts {
  readonly int8: boolean;
  readonly drafted: Drafted;
  readonly module: SimdModule;
  readonly dense: DenseWeights;
  readonly memory: SimdExpertMemory | undefined;
}

/** Runs a model by the WebAssembly kernels, resident or streamed. */
export class SimdRunner implements Runner {
  readonly adapter: AdapterReport;
  readonly contextTokens: number;
  readonly chunkTokens: number;
  readonly experts: SimdExpertMemory | undefined;
  readonly #parts: Parts;
  readonly #scratch = new Scratch();
  readonly #plain: Executors;
  readonly #states = new Set<SimdState>();
  #hooked: Executors | undefined; // while a session has hooks
  readonly #allLogits = new Map<string, SimdExecutor<ModelGraph>>(); // by their most tokens and hooks
  #lookup: SimdExecutor<EmbeddingPart> | undefined;
  #statesBytes = 0;

  private constructor(parts: Parts) {
    const { drafted, module, memory } = parts;
    this.#parts = parts;
    this.experts = memory;
    this.contextTokens = drafted.contextTokens;
    this.chunkTokens = drafted.chunkTokens;
    this.adapter = { ...simdAdapter(module), why: '' };
    this.#plain = this.#open(drafted);
    memory?.onMoved(() => this.#scratch.keepOnly(parts.dense.memories));
  }

  /** @throws {AtomoeError} bad-file; non-finite; out-of-memory; network and the like */
  static async open(drafted: Drafted, options: SimdLoadOptions): Promise<SimdRunner> {
    const {
      module,
      onProgress,
      slots,
      budgetBytes,
      fixedBytes,
      int8,
      bounds: { memoryBytes } = {},
    } = options;
    const { context, decode, experts } = drafted;
    const advance = downloadProgress(drafted, options);
    const dense = new DenseWeights(module, memoryBytes);
    await dense.read(decode, context, advance);
    const otherBytes = () => dense.sizeBytes;
    const budgets = { budgetBytes, fixedBytes, otherBytes };
    const device = new SimdDevice({ module, ...budgets, routes: decode.routes, memoryBytes });
    const memory = experts && slots && (await ExpertMemory.open(device, drafted, { ...options, slots }));
    try {
      if (memory && !memory.slots.streams) await memory.loadAll(advance, context.signal);
      const runner = new SimdRunner({ drafted, module, dense, memory, int8 });
      onProgress({ kind: 'ready' });
      return runner;
    } catch (error) {
      memory?.dispose();
      throw error;
    }
  }

  /** Ops that have run by their reference so far, for want of a kernel. */
  get byReference(): readonly string[] {
    const executors = this.#executors;
    return [...new Set(executors.flatMap((each) => each.byReference))];
  }

  openState(): Promise<RunnerState> {
    const { drafted, dense } = this.#parts;
    const state = new SimdState(drafted.decode, dense.main, (own) => this.#forget(own));
    this.#states.add(state);
    this.#statesBytes += state.sizeBytes;
    return Promise.resolve(state);
  }

  rewindTo(state: RunnerState, past: number): number {
    const own = ownState(state);
    return own.progress.rewindTo(past, () => own.clear(own.progress.replaced.map(({ name }) => name)));
  }

  get replacesStates(): boolean {
    return this.#parts.drafted.decode.tensors.some(({ next }) => next);
  }

  copyState(from: RunnerState, to: RunnerState): void {
    ownState(to).copy(ownState(from));
  }

  async stateCopies(): Promise<StateCopies> {
    const { drafted, dense } = this.#parts;
    const parts = (tokens: number) => statePartsOf(drafted.decode, tokens, 'f32');
    return {
      parts: (tokens) => ({ parts: parts(tokens), scalar: 'f32' }),
      read: async (state, tokens) => {
        const { bytes } = dense.main;
        const found = parts(tokens).map(({ name, sizeBytes }) => {
          const at = ownState(state).at(name);
          return [name, Uint8Array.from(bytes.subarray(at, at + sizeBytes))] as const;
        });
        return new Map(found);
      },
      write: (state, tokens, bytes) => {
        const own = ownState(state);
        for (const [name, part] of bytes) dense.main.bytes.set(part, own.at(name));
        own.progress.reach(tokens);
      },
    };
  }

  setSeen(state: RunnerState, ids: Iterable<number>): void {
    const own = ownState(state);
    const words = markSeen(this.#parts.drafted.spec.vocab, ids);
    const at = own.places.get(SEEN);
    if (at !== undefined) this.#parts.dense.main.words(at, words.length).set(words);
  }

  async prefill(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<void> {
    await this.#run(await this.#executor(state, request), state, request, signal);
  }

  async step(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<StepResult> {
    const { vocab } = this.#parts.drafted.spec;
    const executor = await this.#executor(state, request);
    const { graph } = executor;
    await this.#run(executor, state, request, signal);
    const record = executor.words(recordOf(graph), 1);
    return {
      best: record[0] ?? NOT_FINITE,
      candidates: request.candidates ? parseRecord(record, vocab) : undefined,
      routes: request.routes ? routesOf(graph, executor, request.ids.length) : undefined,
      logits: () => Promise.resolve(executor.floats(graph.logits, 1)),
    };
  }

  trace(state: RunnerState): Promise<TokenRoutes[]> {
    const { last } = ownState(state);
    invariant(last, () => 'no step has run');
    const { executor, tokens } = last;
    const read = (tensor: Tensor) =>
      tensor.type === 'u32' ? executor.words(tensor, tokens) : executor.floats(tensor, tokens);
    return stepRoutes(executor.graph.routes, tokens, read);
  }

  async embeddings(ids: readonly number[]): Promise<Float32Array<ArrayBuffer>> {
    this.#lookup ??= new SimdExecutor(
      embeddingPart(this.#parts.drafted.decode),
      this.#resources(undefined),
      LOOKUP_TOKENS,
    );
    const lookup = this.#lookup;
    return lookUp(ids, async (some) => {
      await lookup.run(plainStep(some.length, 0), some, new Map());
      return lookup.floats(lookup.graph.embedded, some.length);
    });
  }

  async allLogits(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<Float32Array> {
    const { spec } = this.#parts.drafted;
    const maxTokens = request.ids.length <= DRAFT_TOKENS ? DRAFT_TOKENS : this.chunkTokens;
    const executor = await this.#logitsExecutor(maxTokens, request.hooks !== undefined);
    const { logits } = executor.graph;
    const all = new Float32Array(request.ids.length * spec.vocab);
    for (let from = 0; from < request.ids.length; from += maxTokens) {
      const ids = request.ids.slice(from, from + maxTokens);
      await this.#run(executor, state, { ...request, ids, past: request.past + from }, signal);
      all.set(executor.floats(logits, ids.length), from * spec.vocab);
    }
    return all;
  }

  async #logitsExecutor(maxTokens: number, hasHooks: boolean): Promise<SimdExecutor<ModelGraph>> {
    const key = `${maxTokens}${hasHooks ? ' with hooks' : ''}`;
    const known = this.#allLogits.get(key);
    if (known) return known;
    const graph = await logitsGraph(this.#parts.drafted, hasHooks);
    const executor = this.#openPrompts(graph, maxTokens);
    this.#allLogits.set(key, executor);
    return executor;
  }

  memoryReport(): MemoryReport {
    const { dense, memory } = this.#parts;
    const stores = memory ? new Set([memory.store, memory.forPrompts]) : [];
    const expertsBytes = [...stores].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const executors = this.#executors;
    const activationsBytes = executors.reduce((sum, each) => sum + each.sizeBytes, 0);
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
    const { drafted, int8 } = this.#parts;
    const { skipBelow, dropColdBelow } = drafted.lossy;
    if (skipBelow === 0 && dropColdBelow === 0 && !int8) return undefined;
    const dropped = this.experts?.dropped ?? 0;
    return { skipBelow, dropColdBelow, dropped, ...(int8 ? { activations: 'int8' } : {}) };
  }

  dispose(): void {
    this.experts?.dispose();
  }

  /** What runs a graph of many tokens. */
  #openPrompts(graph: ModelGraph, maxTokens: number): SimdExecutor<ModelGraph> {
    const { memory, drafted } = this.#parts;
    const canSplit = drafted.expertLayers.every(({ inWaves }) => inWaves);
    const words = (tensor: Tensor, tokens: number) => executor.words(tensor, tokens);
    const experts = memory && promptExperts(memory, { canSplit, routes: graph.routes, words });
    const executor: SimdExecutor<ModelGraph> = new SimdExecutor(graph, this.#resources(experts), maxTokens);
    return executor;
  }

  #resources(experts: SimdExperts | undefined): SimdResources {
    const { dense, int8 } = this.#parts;
    const { contextTokens } = this;
    const weight = (wanted: Weight) => dense.get(wanted);
    return { main: dense.main, contextTokens, int8, weight, experts, scratch: this.#scratch };
  }

  get #executors(): SimdExecutor<Graph>[] {
    const pairs = [this.#plain, this.#hooked].flatMap((each) => (each ? [each.decode, each.prefill] : []));
    return [...pairs, ...this.#allLogits.values(), this.#lookup].filter((each) => each !== undefined);
  }

  #open({ decode, prefill }: HookedGraphs): Executors {
    const { memory, drafted } = this.#parts;
    const step: TokenStep = {
      words: (tensor: Tensor) => executor.words(tensor, 1),
      floats: (tensor: Tensor) => executor.floats(tensor, 1),
    };
    const token = { routes: decode.routes, dropsCold: drafted.lossy.dropColdBelow > 0 };
    const experts = memory && tokenExperts(memory, step, token);
    const executor: SimdExecutor<ModelGraph> = new SimdExecutor(decode, this.#resources(experts), 1);
    return { decode: executor, prefill: this.#openPrompts(prefill, drafted.chunkTokens) };
  }

  async #executor(state: RunnerState, { ids, hooks }: StepRequest): Promise<SimdExecutor<ModelGraph>> {
    if (hooks) {
      ownState(state).hasHooks = true;
      this.#hooked ??= this.#open(await hookedGraphs(this.#parts.drafted));
    }
    const { decode, prefill } = (hooks && this.#hooked) ?? this.#plain;
    return ids.length === 1 ? decode : prefill;
  }

  /** The last session with hooks takes what runs them with it. */
  #forget(state: SimdState): void {
    this.#states.delete(state);
    this.#statesBytes -= state.sizeBytes;
    if (!this.#hooked || [...this.#states].some(({ hasHooks }) => hasHooks)) return;
    this.#hooked.decode.dispose();
    this.#hooked.prefill.dispose();
    this.#hooked = undefined;
  }

  async #run(
    executor: SimdExecutor<ModelGraph>,
    state: RunnerState,
    request: StepRequest,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { ids, past, penalty, temperature, candidates, hooks, embedding } = request;
    const lookahead = this.experts?.isComplete === false ? this.experts.steps.lookahead : 0;
    const editedBanks = hooks?.editedBanks;
    const drawn = { penalty, temperature, candidates };
    const isEmbedded = embedding !== undefined;
    const step: Step = { tokens: ids.length, past, ...drawn, lookahead, editedBanks, isEmbedded };
    if (embedding) executor.write(embeddedOf(executor.graph), embedding);
    const own = ownState(state);
    const hooked = hooks ? hookArrays(executor.graph, hooks, step) : [];
    for (const [tensor, values] of [...hooked, ...givenInputs(executor.graph, request)])
      executor.write(tensor, values);
    own.progress.begin(past);
    await this.#withKnown(executor, request, signal, () => executor.run(step, ids, own.places, signal));
    own.swap();
    own.last = { executor, tokens: ids.length };
    own.progress.commit(past, ids.length);
  }

  /** Runs a step while the experts of known routes come. */
  async #withKnown(
    executor: SimdExecutor<ModelGraph>,
    request: StepRequest,
    signal: AbortSignal | undefined,
    run: () => Promise<void>,
  ): Promise<void> {
    const streaming = this.experts?.isComplete === false ? this.experts : undefined;
    if (!streaming) return run();
    const { steps, streamer } = streaming;
    streamer.prompt = undefined;
    const known = await knownStep(this.#parts.drafted, request);
    if (!known) return run();
    const isToken = [this.#plain, this.#hooked].some((each) => each?.decode === executor);
    if (!isToken) {
      steps.beginPrompt(known, request.ids.length, signal);
      return run();
    }
    try {
      steps.begin(known, signal);
      await run();
    } finally {
      await steps.end();
    }
  }
}

function ownState(state: RunnerState): SimdState {
  invariant(state instanceof SimdState, () => 'a session of another engine');
  return state;
}

/** The experts of the last token, layer by layer. */
function routesOf({ routes }: ModelGraph, executor: SimdExecutor<ModelGraph>, tokens: number): TokenRoutes {
  return tokenRoutes(routes, (tensor) =>
    executor[tensor.type === 'u32' ? 'words' : 'floats'](tensor, tokens).subarray(
      (tokens - 1) * tensor.perToken,
    ),
  );
}
