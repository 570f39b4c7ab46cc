/** A model on a GPU device: its weights, its plans, and one step at a time. */
import { invariant } from '../../errors.ts';
import type { Buffer } from '../../gpu/buffer.ts';
import { ReadbackRing } from '../../gpu/readback.ts';
import { submit, type Copy } from '../../gpu/recorder.ts';
import { markSeen, NOT_FINITE, parseRecord, SAMPLE_RECORD_BYTES, SEEN } from '../../graph/ops/sample.ts';
import { tensorSizeBytes } from '../../graph/liveness.ts';
import { nextOf } from '../../graph/tensor.ts';
import { recordOf, type ModelGraph, type Step } from '../../graph/node.ts';
import type { Plan, Instance } from '../../graph/plan.ts';
import type { AdapterReport, LossyReport, MemoryReport, TokenRoutes } from '../api.ts';
import { reportOf } from '../load/adapter-report.ts';
import { embeddedOf } from './given-embedding.ts';
import { givenInputs } from './given-tensors.ts';
import type { GpuExpertMemory } from './gpu-experts.ts';
import type { GpuLookup } from './gpu-lookup.ts';
import { knownStep } from './known-step.ts';
import type { StepContext } from './streamed-steps.ts';
import type { HookedPlans } from './hooked-plans.ts';
import type { LogitsPlans } from './logits-plans.ts';
import { Pace } from './pace.ts';
import { GpuState, gpuState, stepOf, writeIds, type Instances, type Loaded } from './gpu-state.ts';
import { GpuTools } from './gpu-tools.ts';
import type { Runner, RunnerState, RunnerTools, StateCopies, StepRequest, StepResult } from './runner.ts';
import { stepRoutes, tokenRoutes } from './token-routes.ts';

/** Runs a model on a GPU, resident or streamed. */
export class GpuRunner implements Runner {
  readonly adapter: AdapterReport;
  readonly contextTokens: number;
  readonly chunkTokens: number;
  readonly experts: GpuExpertMemory | undefined;
  readonly tools: RunnerTools;
  readonly #loaded: Loaded;
  readonly #ring: ReadbackRing;
  readonly #states = new Set<GpuState>();
  readonly #pace: Pace;
  #hooks: Promise<HookedPlans> | undefined; // while a session has hooks
  #logitsPlans: Promise<LogitsPlans> | undefined;
  #lookup: Promise<GpuLookup> | undefined;

  /** `openGpuRunner` makes what it takes. */
  constructor(loaded: Loaded) {
    const { gpu, drafted } = loaded;
    this.#loaded = loaded;
    this.#pace = new Pace(gpu.adapterClass);
    this.experts = loaded.memory;
    this.experts?.onMoved(() => {
      for (const state of this.#states) state.bind();
    });
    this.tools = new GpuTools(loaded);
    this.contextTokens = drafted.contextTokens;
    this.chunkTokens = drafted.chunkTokens;
    this.adapter = { ...reportOf(gpu), why: '' };
    const routesBytes = drafted.decode.routes.reduce((sum, { ids }) => sum + 8 * ids.perToken, 0);
    this.#ring = new ReadbackRing(gpu, SAMPLE_RECORD_BYTES + routesBytes);
  }

  async openState(): Promise<RunnerState> {
    const { gpu } = this.#loaded;
    const buffers = await this.#stateBuffers();
    const onDispose = (state: GpuState) => this.#forget(state);
    const state = await gpu.allocating('a session', () => new GpuState(buffers, this.#loaded, onDispose));
    this.#states.add(state);
    return state;
  }

  rewindTo(state: RunnerState, past: number): number {
    const { progress, buffers } = gpuState(state);
    return progress.rewindTo(past, () => {
      // Both of a pair: which holds the old one changes from step to step.
      for (const tensor of progress.replaced) {
        for (const { name } of [tensor, nextOf(tensor)]) {
          const buffer = buffers.get(name);
          if (buffer) this.#loaded.gpu.write(buffer, 0, new Uint8Array(buffer.sizeBytes));
        }
      }
    });
  }

  get replacesStates(): boolean {
    return this.#loaded.drafted.decode.tensors.some(({ next }) => next);
  }

  copyState(from: RunnerState, to: RunnerState): void {
    const [source, target] = [gpuState(from), gpuState(to)];
    const copies = [...target.current].flatMap(([name, buffer]) => {
      const given = source.current.get(name);
      const { sizeBytes } = buffer;
      return given ? [{ from: given, fromOffsetBytes: 0, to: buffer, toOffsetBytes: 0, sizeBytes }] : [];
    });
    submit(this.#loaded.gpu, [], copies);
    target.progress.copy(source.progress);
  }

  async stateCopies(): Promise<StateCopies> {
    const { GpuStateCopies } = await import('./gpu-state-copies.ts');
    return new GpuStateCopies(this.#loaded);
  }

  setSeen(state: RunnerState, ids: Iterable<number>): void {
    const { gpu, drafted } = this.#loaded;
    const seen = gpuState(state).buffers.get(SEEN);
    if (!seen) return;
    gpu.write(seen, 0, markSeen(drafted.spec.vocab, ids));
  }

  async prefill(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<void> {
    const own = gpuState(state);
    const { prefill } = await this.#instances(own, request);
    await this.#run(own, prefill, request, [], signal);
    await this.#loaded.gpu.idle();
  }

  async step(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<StepResult> {
    const own = gpuState(state);
    const { decode, prefill } = await this.#instances(own, request);
    const instance = request.ids.length === 1 ? decode : prefill;
    const { plan } = instance;
    const record = recordOf(plan.graph);
    const recordBytes = request.candidates ? SAMPLE_RECORD_BYTES : 4;
    const routes = request.routes
      ? this.#routeCopies(plan, request.ids.length, recordBytes)
      : { copies: [], sizeBytes: 0 };
    const sizeBytes = recordBytes + routes.sizeBytes;
    const { copy, read } = this.#ring.acquire(plan.buffer(record), 0, sizeBytes);
    const copies = [
      { ...copy, sizeBytes: recordBytes },
      ...routes.copies.map((route) => ({ ...route, to: copy.to })),
    ];
    try {
      await this.#run(own, instance, request, copies, signal);
    } catch (error) {
      read().catch(() => {}); // frees the slot
      throw error;
    }
    const bytes = await read();
    const words = new Uint32Array(bytes, 0, recordBytes / 4);
    return {
      best: words[0] ?? NOT_FINITE,
      candidates: request.candidates ? parseRecord(words, this.#loaded.drafted.spec.vocab) : undefined,
      routes: request.routes ? this.#parseRoutes(bytes, recordBytes) : undefined,
      logits: async () => new Float32Array(await plan.read(plan.graph.logits, request.ids.length)),
    };
  }

  trace(state: RunnerState): Promise<TokenRoutes[]> {
    const { last } = gpuState(state);
    invariant(last, () => 'no step has run');
    const { plan, tokens } = last;
    return stepRoutes(plan.graph.routes, tokens, async (tensor) => {
      const bytes = await plan.read(tensor, tokens);
      return tensor.type === 'u32' ? new Uint32Array(bytes) : new Float32Array(bytes);
    });
  }

  async embeddings(ids: readonly number[]): Promise<Float32Array<ArrayBuffer>> {
    this.#lookup ??= import('./gpu-lookup.ts').then(({ GpuLookup }) => GpuLookup.open(this.#loaded));
    this.#lookup.catch(() => (this.#lookup = undefined)); // the next call tries again
    return (await this.#lookup).rows(ids);
  }

  async allLogits(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<Float32Array> {
    const own = gpuState(state);
    const { ids, past, hooks } = request;
    const { vocab } = this.#loaded.drafted.spec;
    if (hooks) await this.#instances(own, request); // whose plans write the hooks of a step
    this.#logitsPlans ??= import('./logits-plans.ts').then(
      ({ LogitsPlans }) => new LogitsPlans(this.#loaded),
    );
    this.#logitsPlans.catch(() => (this.#logitsPlans = undefined)); // the next call tries again
    const plan = await (await this.#logitsPlans).plan(ids.length, hooks !== undefined);
    const instance = own.instance(plan);
    const { maxTokens } = plan;
    const all = new Float32Array(ids.length * vocab);
    for (let from = 0; from < ids.length; from += maxTokens) {
      const some = ids.slice(from, from + maxTokens);
      await this.#run(own, instance, { ...request, ids: some, past: past + from }, [], signal);
      all.set(new Float32Array(await plan.read(plan.graph.logits, some.length)), from * vocab);
    }
    return all;
  }

  memoryReport(): MemoryReport {
    const { gpu } = this.#loaded;
    return {
      totalBytes: gpu.usedBytes(),
      weightsBytes: gpu.usedBytes('weights'),
      expertsBytes: gpu.usedBytes('experts'),
      kvCacheBytes: gpu.usedBytes('kv-cache'),
      activationsBytes: gpu.usedBytes('activations'),
      stagingBytes: gpu.usedBytes('staging'),
    };
  }

  lossyReport(): LossyReport | undefined {
    const { drafted, memory } = this.#loaded;
    const { skipBelow, dropColdBelow } = drafted.lossy;
    if (skipBelow === 0 && dropColdBelow === 0) return undefined;
    return { skipBelow, dropColdBelow, dropped: memory?.dropped ?? 0 };
  }

  dispose(): void {
    const { decode, prefill, memory, weights } = this.#loaded;
    for (const item of [decode, prefill, this.#ring]) item.dispose();
    for (const later of [this.#hooks, this.#lookup, this.#logitsPlans]) {
      void later?.then((opened) => opened.dispose()).catch(() => {}); // the caller that asked for it got the error
    }
    memory?.dispose();
    for (const { parts } of weights.values()) for (const part of parts) part.slice.buffer.dispose();
  }

  async #stateBuffers(): Promise<Map<string, Buffer>> {
    const { gpu, drafted, scalar } = this.#loaded;
    const states = drafted.decode.tensors.filter(({ role }) => role === 'state');
    return gpu.allocating('the KV cache', () => {
      const buffers = new Map<string, Buffer>();
      for (const tensor of states) {
        const sizeBytes = tensorSizeBytes(tensor, 0, scalar);
        buffers.set(tensor.name, gpu.createBuffer({ label: tensor.name, sizeBytes, kind: 'kv-cache' }));
      }
      return buffers;
    });
  }

  /** What runs a request: plans with hooks are made for the first that has any. */
  async #instances(own: GpuState, { hooks }: StepRequest): Promise<Instances> {
    if (!hooks) return own;
    own.hasHooks = true;
    if (!this.#hooks) {
      this.#hooks = import('./hooked-plans.ts').then(({ openHookedPlans }) => openHookedPlans(this.#loaded));
      this.#hooks.catch(() => (this.#hooks = undefined)); // the next request tries again
    }
    return own.hooked(await this.#hooks);
  }

  /** The last session with hooks takes the plans with it. */
  #forget(state: GpuState): void {
    this.#states.delete(state);
    if ([...this.#states].some(({ hasHooks }) => hasHooks)) return;
    void this.#hooks?.then((plans) => plans.dispose()).catch(() => {}); // the request that asked for them got the error
    this.#hooks = undefined;
  }

  /** A whole step. After an error the states are as they were before, and the step can be run again. */
  async #run(
    own: GpuState,
    instance: Instance<ModelGraph>,
    request: StepRequest,
    copies: readonly Copy[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { ids, past, hooks, embedding } = request;
    const { gpu } = this.#loaded;
    const { plan } = instance;
    own.progress.begin(past);
    writeIds(gpu, plan, ids);
    if (embedding) gpu.write(plan.buffer(embeddedOf(plan.graph)), 0, embedding);
    if (hooks) (await this.#hooks)?.write(plan, hooks, { past, tokens: ids.length });
    for (const [tensor, values] of givenInputs(plan.graph, request))
      gpu.write(plan.buffer(tensor), 0, values);
    const step = stepOf(request, own);
    const isStreamed = this.experts?.isComplete === false;
    const context = {
      known: isStreamed ? await knownStep(this.#loaded.drafted, request) : undefined,
      signal,
    };
    if (own.isDecode(instance)) await this.#runToken(instance, step, copies, context);
    else await this.#runChunk(instance, step, copies, context);
    own.last = { plan, tokens: ids.length };
    own.progress.commit(past, ids.length);
  }

  /** One token: in one submission, or in parts where experts may be missing. */
  async #runToken(
    instance: Instance<ModelGraph>,
    step: Step,
    copies: readonly Copy[],
    context: StepContext,
  ): Promise<void> {
    const { memory } = this.#loaded;
    if (!memory || memory.isComplete) instance.run(step, copies);
    else await memory.steps.decode(instance, step, copies, context);
  }

  /** Many tokens, by the plan for prompts. */
  async #runChunk(
    instance: Instance<ModelGraph>,
    step: Step,
    copies: readonly Copy[],
    context: StepContext,
  ): Promise<void> {
    const { memory } = this.#loaded;
    const { signal } = context;
    const paced = { ...step, mostMultiplyAdds: this.#pace.mostWork };
    if (!memory || memory.isComplete) await this.#submitSlices(instance, paced, copies, signal);
    else await memory.steps.prefill(instance, paced, copies, { ...context, pace: this.#pace });
  }

  /**
   * Submits a long step in slices (`pace.ts`), at most two ahead of the GPU. How it is cut changes no
   * result, and an abort between slices leaves a step that was not run to its end.
   */
  async #submitSlices(
    instance: Instance<ModelGraph>,
    step: Step,
    copies: readonly Copy[],
    signal?: AbortSignal,
  ): Promise<void> {
    const { gpu } = this.#loaded;
    const commands = instance.commands(step);
    const slices = this.#pace.slices(commands);
    const startedMs = performance.now();
    let previous: Promise<void> | undefined;
    for (const [index, commandsOfSlice] of slices.entries()) {
      signal?.throwIfAborted();
      submit(gpu, commandsOfSlice, index === slices.length - 1 ? copies : []);
      const idle = slices.length > 1 ? gpu.idle() : undefined;
      idle?.catch(() => {}); // awaited one slice later, or never after an error
      await previous;
      previous = idle;
    }
    if (slices.length > 1) {
      await previous;
      this.#pace.took(commands, performance.now() - startedMs);
    }
  }

  #routeCopies(
    plan: Plan<ModelGraph>,
    tokens: number,
    firstBytes: number,
  ): { copies: Copy[]; sizeBytes: number } {
    const copies: Copy[] = [];
    let at = firstBytes;
    for (const { ids, weights } of plan.graph.routes) {
      for (const tensor of [ids, weights]) {
        const from = plan.buffer(tensor);
        const sizeBytes = 4 * tensor.perToken;
        copies.push({
          from,
          fromOffsetBytes: (tokens - 1) * sizeBytes,
          to: from,
          toOffsetBytes: at,
          sizeBytes,
        });
        at += sizeBytes;
      }
    }
    return { copies, sizeBytes: at - firstBytes };
  }

  #parseRoutes(bytes: ArrayBuffer, firstBytes: number): TokenRoutes {
    let at = firstBytes;
    return tokenRoutes(this.#loaded.drafted.decode.routes, ({ type, perToken }) => {
      const row = new (type === 'u32' ? Uint32Array : Float32Array)(bytes, at, perToken);
      at += row.byteLength;
      return row;
    });
  }
}
