/** The same graphs on the CPU, by the kernels' references: slow and exact, and no GPU is needed. */
import { invariant } from '../../errors.ts';
import { runOnCpu, type CpuResources, type CpuStates } from '../../graph/cpu.ts';
import { yieldToEventLoop } from '../../graph/event-loop.ts';
import { plainStep, recordOf, type HostArray, type ModelGraph, type Step } from '../../graph/node.ts';
import { markSeen, NOT_FINITE, parseRecord, SEEN } from '../../graph/ops/sample.ts';
import { nextOf, type Tensor } from '../../graph/tensor.ts';
import {
  NO_MEMORY,
  type LoadProgress,
  type LossyReport,
  type MemoryReport,
  type TokenRoutes,
} from '../api.ts';
import { CPU_ADAPTER } from '../load/adapter-report.ts';
import { loadOnCpu } from '../load/cpu-load.ts';
import { hookedGraphs, logitsGraph, type HookedGraphs } from '../load/hooked-graphs.ts';
import type { Drafted } from '../load/planning.ts';
import { embeddingPart } from './embedding-part.ts';
import { embeddedOf } from './given-embedding.ts';
import { givenInputs } from './given-tensors.ts';
import { hookArrays } from './hooks.ts';
import { Progress } from './progress.ts';
import type { Runner, RunnerState, StateCopies, StepRequest, StepResult } from './runner.ts';
import { statePartsOf } from './saved-state.ts';
import { stepRoutes, tokenRoutes } from './token-routes.ts';

/** The graph of a step that was run, and its values. */
interface CpuStep {
  readonly graph: ModelGraph;
  readonly tokens: number;
  readonly get: (tensor: Tensor) => HostArray;
}

class CpuState implements RunnerState {
  readonly tensors: CpuStates = new Map();
  readonly progress: Progress;
  last: CpuStep | undefined;

  constructor(graph: ModelGraph) {
    this.progress = new Progress(graph.tensors);
  }

  dispose(): void {
    this.tensors.clear();
  }
}

/** Runs a model by the references of its kernels, in plain TypeScript on f32 arrays. */
export class CpuRunner implements Runner {
  readonly adapter = { ...CPU_ADAPTER, why: '' };
  readonly contextTokens: number;
  readonly chunkTokens: number;
  readonly #drafted: Drafted;
  readonly #resources: CpuResources;
  #hooked: Promise<HookedGraphs> | undefined;

  private constructor(drafted: Drafted, resources: CpuResources) {
    this.#drafted = drafted;
    this.#resources = resources;
    this.contextTokens = drafted.contextTokens;
    this.chunkTokens = drafted.chunkTokens;
  }

  /** @throws {AtomoeError} bad-file; non-finite; network and the like */
  static async open(drafted: Drafted, onProgress: (progress: LoadProgress) => void): Promise<CpuRunner> {
    const { context, decode, experts, checkpoint } = drafted;
    const totalBytes = checkpoint.totalBytes;
    let doneBytes = 0;
    const advance = (bytes: number) => {
      context.signal?.throwIfAborted();
      doneBytes = Math.min(totalBytes, doneBytes + bytes);
      onProgress({
        kind: 'downloading',
        doneBytes,
        totalBytes,
        modelBytes: totalBytes,
        file: checkpoint.files[0]?.name ?? '',
      });
    };
    const resources = await loadOnCpu(decode, experts, context, advance);
    onProgress({ kind: 'ready' });
    return new CpuRunner(drafted, { ...resources, contextTokens: drafted.contextTokens });
  }

  openState(): Promise<RunnerState> {
    return Promise.resolve(new CpuState(this.#drafted.decode));
  }

  rewindTo(state: RunnerState, past: number): number {
    const { progress, tensors } = own(state);
    return progress.rewindTo(past, () => {
      for (const { name } of progress.replaced) tensors.delete(name);
    });
  }

  get replacesStates(): boolean {
    return this.#drafted.decode.tensors.some(({ next }) => next);
  }

  copyState(from: RunnerState, to: RunnerState): void {
    const [source, target] = [own(from), own(to)];
    target.tensors.clear();
    for (const [name, values] of source.tensors) target.tensors.set(name, values.slice());
    target.progress.copy(source.progress);
  }

  async stateCopies(): Promise<StateCopies> {
    const drafted = this.#drafted;
    const parts = (tokens: number) => statePartsOf(drafted.decode, tokens, 'f32');
    return {
      parts: (tokens) => ({ parts: parts(tokens), scalar: 'f32' }),
      read: async (state, tokens) => {
        const { tensors } = own(state);
        const found = parts(tokens).flatMap(({ name, sizeBytes }) => {
          const values = tensors.get(name);
          if (!values) return [];
          const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
          return [[name, Uint8Array.from(bytes.subarray(0, sizeBytes))] as const];
        });
        return new Map(found);
      },
      write: (state, tokens, bytes) => {
        const { tensors, progress } = own(state);
        for (const tensor of drafted.decode.tensors) {
          const given = bytes.get(tensor.name);
          if (!given) continue;
          const values =
            tensor.type === 'u32' ? new Uint32Array(tensor.fixed) : new Float32Array(tensor.fixed);
          new Uint8Array(values.buffer).set(given);
          tensors.set(tensor.name, values);
        }
        progress.reach(tokens);
      },
    };
  }

  setSeen(state: RunnerState, ids: Iterable<number>): void {
    own(state).tensors.set(SEEN, markSeen(this.#drafted.spec.vocab, ids));
  }

  async prefill(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<void> {
    await this.step(state, request, signal);
  }

  async step(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<StepResult> {
    await yieldToEventLoop();
    signal?.throwIfAborted();
    const graphs = await this.#graphs(request);
    const graph = request.ids.length === 1 ? graphs.decode : graphs.prefill;
    const get = this.#run(graph, state, request);
    const logits = Float32Array.from(get(graph.logits));
    const record = Uint32Array.from(get(recordOf(graph)));
    return {
      best: record[0] ?? NOT_FINITE,
      candidates: request.candidates ? parseRecord(record, this.#drafted.spec.vocab) : undefined,
      routes: request.routes ? routesOf(graph, get, request.ids.length) : undefined,
      logits: () => Promise.resolve(logits),
    };
  }

  trace(state: RunnerState): Promise<TokenRoutes[]> {
    const { last } = own(state);
    invariant(last, () => 'no step has run');
    return stepRoutes(last.graph.routes, last.tokens, last.get);
  }

  embeddings(ids: readonly number[]): Promise<Float32Array<ArrayBuffer>> {
    const part = embeddingPart(this.#drafted.decode);
    const inputs = new Map([[part.ids, Uint32Array.from(ids)]]);
    const get = runOnCpu(part, this.#resources, new Map(), plainStep(ids.length, 0), inputs);
    return Promise.resolve(Float32Array.from(get(part.embedded)));
  }

  async allLogits(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<Float32Array> {
    await yieldToEventLoop();
    signal?.throwIfAborted();
    const graph = await logitsGraph(this.#drafted, request.hooks !== undefined);
    return Float32Array.from(this.#run(graph, state, request)(graph.logits));
  }

  memoryReport(): MemoryReport {
    return NO_MEMORY;
  }

  lossyReport(): LossyReport | undefined {
    const { skipBelow } = this.#drafted.lossy;
    return skipBelow > 0 ? { skipBelow, dropColdBelow: 0, dropped: 0 } : undefined;
  }

  dispose(): void {}

  async #graphs({ hooks }: StepRequest): Promise<HookedGraphs> {
    if (!hooks) return this.#drafted;
    this.#hooked ??= hookedGraphs(this.#drafted);
    return this.#hooked;
  }

  #run(graph: ModelGraph, state: RunnerState, request: StepRequest) {
    const { ids, past, penalty, temperature, candidates, hooks, embedding } = request;
    const editedBanks = hooks?.editedBanks;
    const drawn = { penalty, temperature, candidates };
    const step: Step = {
      tokens: ids.length,
      past,
      ...drawn,
      editedBanks,
      isEmbedded: embedding !== undefined,
    };
    const { tensors, progress } = own(state);
    progress.begin(past);
    const hooked = hooks ? hookArrays(graph, hooks, step) : [];
    const given = givenInputs(graph, request);
    const inputs = new Map<Tensor, HostArray>([...hooked, ...given, [graph.ids, Uint32Array.from(ids)]]);
    if (embedding) inputs.set(embeddedOf(graph), embedding);
    const get = runOnCpu(graph, this.#resources, tensors, step, inputs);
    for (const tensor of progress.replaced) {
      const { name } = nextOf(tensor);
      const next = tensors.get(name);
      if (next) tensors.set(tensor.name, next);
      tensors.delete(name);
    }
    progress.commit(past, ids.length);
    own(state).last = { graph, tokens: ids.length, get };
    return get;
  }
}

function own(state: RunnerState): CpuState {
  invariant(state instanceof CpuState, () => 'a session of another engine');
  return state;
}

/** The experts of the last token, layer by layer. */
function routesOf(
  { routes }: ModelGraph,
  get: (tensor: Tensor) => ArrayLike<number>,
  tokens: number,
): TokenRoutes {
  const lastRow = (tensor: Tensor) => Array.from(get(tensor)).slice((tokens - 1) * tensor.perToken);
  return tokenRoutes(routes, lastRow);
}
