import { AtomoeError } from '../errors.ts';
import { Gpu, type AdapterFacts } from '../gpu/device.ts';
import { unlessAborted } from '../io/shared-reads.ts';
import type { FolderSource } from '../io/source.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { fixedMemory, openAutoMemory, type AutoMemory } from './load/auto-memory.ts';
import { CPU_FACTS } from './load/adapter-report.ts';
import type {
  AdapterReport,
  ChatCompletions,
  DispatchReport,
  Engine,
  LoadOptions,
  MemoryReport,
  ModelInfo,
  ModelPlan,
  ModelSource,
  Prompt,
  PromptOptions,
  Session,
  ScoredToken,
  StreamingReport,
  TextCompletions,
} from './api.ts';
import { neverReactive } from './checks.ts';
import { makeCompletions, makeTextCompletions } from './talk/completions.ts';
import { adapterOf, checkActivations, openDevice, openRunner, type Device } from './load/open-device.ts';
import { endsOf, generationDefaults } from './talk/generation-defaults.ts';
import { typed } from './failures.ts';
import { closeFolder, diskReport, isCached, openKept } from './load/kept-folder.ts';
import { infoOf, readTokenizer } from './load/model-info.ts';
import type { EngineOptions } from './engine-options.ts';
import { modelSource } from './load/model-source.ts';
import { OpenSessions } from './talk/open-sessions.ts';
import { readEngineOptions, readLoadOptions, readResizeOptions } from './options.ts';
import { draftModel, sizeModel, type Drafted, type Sized } from './load/planning.ts';
import { JobQueue } from './run/queue.ts';
import type { Runner } from './run/runner.ts';
import { ModelTalk } from './talk/model-talk.ts';

export type { EngineOptions };

interface LoadedModel {
  readonly info: ModelInfo;
  readonly runner: Runner;
  readonly gpu: Gpu | undefined;
  readonly tokenizer: Tokenizer | undefined;
  readonly talk: ModelTalk;
  readonly drafted: Drafted;
  readonly options: LoadOptions;
  readonly folder: FolderSource;
  readonly closing: AbortController; // ends background work
}

/** Longer than the second that a page gives its worker to end. A second tab with the same model loads that much later. */
const LOCK_TIMEOUT_MS = 1500;

function isAuto({ memoryBudget = 'auto' }: LoadOptions): boolean {
  return memoryBudget === 'auto';
}

/** The engine in this thread. `createEngine` makes one. */
export class LocalEngine implements Engine {
  readonly adapter: AdapterReport;
  readonly chat: { readonly completions: ChatCompletions };
  readonly completions: TextCompletions = makeTextCompletions(this);
  readonly lost: Promise<never>;
  readonly #options: EngineOptions;
  readonly #device: Device;
  readonly #memory: AutoMemory;
  readonly #sessions = new OpenSessions();
  #queue = new JobQueue();
  #loaded: LoadedModel | undefined;
  #loading = false;
  #isDisposed = false;
  readonly #plans = new Map<ModelSource, Promise<void>>(); // under way
  #closed: Promise<void> = Promise.resolve(); // when the model before has let go of everything
  #fail: (reason: unknown) => void = () => {};

  private constructor(options: EngineOptions, device: Device, memory: AutoMemory) {
    neverReactive(this);
    this.#options = options;
    this.#memory = memory;
    this.#device = device;
    this.adapter = adapterOf(device);
    this.lost = new Promise((_, reject) => (this.#fail = reject));
    this.lost.catch(() => {});
    this.chat = {
      completions: makeCompletions({
        modelLabel: () => this.model?.label ?? '',
        fingerprint: () => this.#assertLoaded().talk.fingerprint(this.adapter),
        prepare: () => this.#prepareSession(),
      }),
    };
  }

  /** @throws {AtomoeError} bad-input - an option; no-webgpu */
  static async open(given: EngineOptions): Promise<LocalEngine> {
    const options = readEngineOptions(given);
    return typed(undefined, async () => {
      const { autoBudget } = options;
      const memory = autoBudget ? fixedMemory(autoBudget) : await openAutoMemory();
      return new LocalEngine(options, await openDevice(options), memory);
    });
  }

  get model(): ModelInfo | undefined {
    return this.#loaded?.info;
  }

  async plan(model: ModelSource, given: LoadOptions = {}): Promise<ModelPlan> {
    const options = readLoadOptions(given);
    const source = modelSource(model, 'the model');
    this.#assertUsable();
    options.signal?.throwIfAborted();
    const planned = typed(options.signal, () => this.#plan(source, options));
    this.#noteUse(source, planned);
    return planned;
  }

  /** A load of the same model waits until the plan has let go of its files: only one of them may write to the disk. */
  #noteUse(source: ModelSource, planned: Promise<ModelPlan>): void {
    const done = Promise.allSettled([this.#plans.get(source), planned]).then(() => {
      if (this.#plans.get(source) === done) this.#plans.delete(source);
    });
    this.#plans.set(source, done);
  }

  async load(model: ModelSource, given: LoadOptions = {}): Promise<ModelInfo> {
    const options = readLoadOptions(given);
    const source = modelSource(model, 'the model');
    this.#assertUsable();
    options.signal?.throwIfAborted();
    if (this.#loading) {
      throw new AtomoeError(
        'busy',
        'a model is being loaded already; wait for it, or abort it through its signal',
      );
    }
    this.#loading = true;
    try {
      return await typed(options.signal, () => this.#load(source, options));
    } finally {
      this.#loading = false;
      if (this.#isDisposed) this.#unload();
    }
  }

  async #plan(model: ModelSource, options: LoadOptions): Promise<ModelPlan> {
    const folder = await openKept(model, options, this.#options, 0);
    try {
      const drafted = await draftModel(folder, options, this.#options);
      drafted.checkpoint.dispose();
      return this.#size(drafted, options).plan;
    } finally {
      await closeFolder(folder);
    }
  }

  async #load(model: ModelSource, options: LoadOptions): Promise<ModelInfo> {
    options.onProgress?.({ kind: 'planning' });
    await this.#closed; // the model before may still be letting go of its files
    await unlessAborted(Promise.resolve(this.#plans.get(model)), options.signal);
    const folder = await openKept(model, options, this.#options, LOCK_TIMEOUT_MS);
    try {
      await this.#replace(folder, options);
    } catch (error) {
      await closeFolder(folder);
      throw error;
    }
    return this.#assertLoaded().info;
  }

  /**
   * Changes how much GPU memory the loaded model may take, and how its experts are streamed, between two tokens. What
   * it says does not change.
   *
   * @throws {AtomoeError} bad-input - no model with experts in slots, or a policy that fails; limit-too-small - it does
   *   not work in this little; out-of-memory - sessions take too much of it. Nothing changes then, unless the memory has
   *   gone elsewhere meanwhile: then the model is let go, and has to be loaded again
   */
  async resize(given: Pick<LoadOptions, 'memoryBudget' | 'streaming'>): Promise<ModelPlan> {
    const change = readResizeOptions(given);
    return typed(undefined, () => this.#resize(change));
  }

  async #resize(change: Pick<LoadOptions, 'memoryBudget' | 'streaming'>): Promise<ModelPlan> {
    const loaded = this.#assertLoaded();
    const { runner, drafted, options } = loaded;
    const { experts } = runner;
    if (!experts) {
      throw new AtomoeError(
        'bad-input',
        `${drafted.checkpoint.label} has no experts in slots; wanted a model with some; its memory cannot change`,
      );
    }
    const merged: LoadOptions = {
      ...options,
      ...change,
      // What is missing comes later, even where there is room for everything.
      streaming: { ...options.streaming, start: 'now', ...change.streaming },
    };
    const { slots, fewer, plan } = this.#size(drafted, merged);
    if (!plan.fits || !slots) {
      throw new AtomoeError('limit-too-small', `${drafted.checkpoint.label} does not fit: ${plan.why}`);
    }
    const budgetBytes = this.#budgetBytes(merged);
    const resize = experts.prepareResize(slots, fewer, merged.streaming ?? {}, budgetBytes);
    loaded.closing.abort();
    try {
      await this.#queue.run(resize);
    } catch (error) {
      if (this.#loaded !== loaded) throw error; // another model has come meanwhile
      if (experts.isLost) this.#unload();
      else {
        this.#loaded = { ...loaded, closing: new AbortController() };
        this.#fill();
      }
      throw error;
    }
    const real = this.#realPlan(plan, runner, drafted, merged);
    if (this.#loaded?.runner !== runner) return real; // another model has come meanwhile
    const info = { ...loaded.info, plan: real };
    this.#loaded = { ...loaded, options: merged, info, closing: new AbortController() };
    this.#fill();
    return real;
  }

  streaming(): Promise<StreamingReport | undefined> {
    const { runner, folder } = this.#assertLoaded();
    return Promise.resolve(runner.experts?.report(isCached(folder) ? diskReport(folder) : undefined));
  }

  session(): Session {
    return this.#prepareSession()();
  }

  #prepareSession(): () => Session {
    this.#assertUsable();
    return this.#assertLoaded().talk.prepare();
  }

  async tokenize(prompt: Prompt, options?: PromptOptions): Promise<number[]> {
    return this.#assertLoaded().talk.tokenize(prompt, options);
  }

  async detokenize(ids: readonly number[]): Promise<string> {
    return this.#assertLoaded().talk.detokenize(ids);
  }

  async score(...given: Parameters<Engine['score']>): Promise<ScoredToken[]> {
    return this.#assertLoaded().talk.score(...given);
  }

  async logits(ids: readonly number[], mode: 'at-once' | 'one-by-one' = 'at-once'): Promise<Float32Array> {
    const { runner, drafted } = this.#assertLoaded();
    const { allLogits } = await import('./load/all-logits.ts');
    return typed(undefined, () => this.#queue.run(() => allLogits(runner, ids, drafted.spec.vocab, mode)));
  }

  async profile(): Promise<readonly DispatchReport[]> {
    const { runner } = this.#assertLoaded();
    const { profileStep } = await import('./run/profile-step.ts');
    return typed(undefined, () => this.#queue.run(() => profileStep(runner)));
  }

  memory(): MemoryReport {
    return this.#assertLoaded().runner.memoryReport();
  }

  /** The runner of the loaded model, for tools that measure it. */
  get runner(): Runner {
    return this.#assertLoaded().runner;
  }

  get tokenizer(): Tokenizer | undefined {
    return this.#assertLoaded().tokenizer;
  }

  /** Settles after `dispose` when the files are closed and what was read is written to the disk cache. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#unload();
    const { threads } = this.#device.kernels ?? {};
    void this.#closed.then(() => threads?.dispose());
  }

  #unload(): void {
    this.#memory.settle();
    this.#sessions.disposeAll();
    const loaded = this.#loaded;
    this.#loaded = undefined;
    loaded?.closing.abort();
    // What is running finishes its step first: its buffers may not go under it.
    this.#closed = this.#queue.run(async () => {
      loaded?.runner.dispose();
      loaded?.gpu?.dispose();
      if (!loaded) return;
      loaded.drafted.checkpoint.dispose(); // until now, experts could be read
      await closeFolder(loaded.folder);
    });
    this.#queue = new JobQueue();
  }

  /** Loads first, then lets the old model go only when the new one is here: unless both need the same device. */
  async #replace(folder: FolderSource, options: LoadOptions): Promise<void> {
    const drafted = await draftModel(folder, options, this.#options);
    try {
      await this.#open(folder, drafted, options);
    } catch (error) {
      this.#memory.settle();
      drafted.checkpoint.dispose();
      throw error;
    }
  }

  async #open(folder: FolderSource, drafted: Drafted, options: LoadOptions): Promise<void> {
    const activations = checkActivations(options.activations, this.#device);
    const sized = this.#size(drafted, options);
    if (this.#device.hasBudget && !sized.plan.fits) {
      throw new AtomoeError('limit-too-small', `${drafted.checkpoint.label} does not fit: ${sized.plan.why}`);
    }
    const defaults = generationDefaults(drafted.checkpoint.generationConfig);
    const tokenizer = await readTokenizer(folder, drafted, options.signal);
    this.#unload();
    const onProgress = options.onProgress ?? (() => {});
    if (this.#device.hasBudget && isAuto(options)) await this.#memory.begin();
    const gpu = this.#device.facts && (await this.#openGpu(sized.limits, options));
    try {
      const { tuning: mode = 'auto', tuningStore: store } = this.#options;
      const runner = await openRunner({ gpu, kernels: this.#device.kernels }, drafted, {
        onProgress,
        slots: sized.slots,
        fixedBytes: sized.fixedBytes,
        fewer: sized.fewer,
        streaming: options.streaming ?? {},
        budgetBytes: this.#budgetBytes(options),
        testing: this.#options.streamTesting ?? {},
        activations,
        tuning: { mode, store },
        bounds: this.#options.bounds,
      });
      const info = infoOf(drafted, this.#realPlan(sized.plan, runner, drafted, options), tokenizer);
      const eosIds = new Set([
        ...endsOf(drafted.spec, drafted.checkpoint.generationConfig).ids,
        ...(tokenizer?.eosIds ?? []),
      ]);
      const closing = new AbortController();
      const talk = new ModelTalk({
        ...{ info, runner, queue: this.#queue, tokenizer, eosIds, defaults, drafted, options },
        sessions: this.#sessions,
        isGone: () => this.#loaded?.runner !== runner,
        onToken: () => this.#memory.settle(),
      });
      this.#loaded = { info, runner, gpu, tokenizer, talk, drafted, options, folder, closing };
      this.#fill();
    } catch (error) {
      gpu?.dispose();
      throw error;
    }
  }

  #size(drafted: Drafted, options: LoadOptions): Sized & { readonly plan: ModelPlan } {
    const { streamTesting: { expertBindingBytes = Infinity } = {}, bounds } = this.#options;
    const budgeted = { ...options, memoryBudget: this.#budgetBytes(options) };
    const sized = sizeModel(drafted, this.#device.facts ?? CPU_FACTS, budgeted, {
      expertBindingBytes,
      ...bounds,
    });
    const { note } = this.#memory;
    const notes = [...sized.plan.notes];
    if (note && this.#device.hasBudget && isAuto(options)) notes.push(note);
    const { missing } = this.#device;
    if (missing) notes.push({ kind: 'no-kernels', message: missing.message });
    return { ...sized, plan: { ...sized.plan, adapter: this.adapter, notes } };
  }

  #budgetBytes({ memoryBudget = 'auto' }: LoadOptions): number {
    return memoryBudget === 'auto' ? this.#memory.budgetBytes : memoryBudget;
  }

  /** The plan as it became: with fewer slots or other kernels where the GPU refused the planned ones. */
  #realPlan(plan: ModelPlan, runner: Runner, drafted: Drafted, options: LoadOptions): ModelPlan {
    const refusedKernels = runner.tools?.refusals.list ?? [];
    const places = runner.experts?.slots.places;
    if (places === undefined || places === plan.slotsPerLayer) return { ...plan, refusedKernels };
    const streaming = { ...options.streaming, slotsPerLayer: places };
    return { ...this.#size(drafted, { ...options, streaming }).plan, refusedKernels };
  }

  /** Fetches in the background what is missing. */
  #fill(): void {
    const { runner, folder, drafted, closing, options } = this.#assertLoaded();
    const { experts } = drafted;
    const memory = runner.experts;
    if (!memory || !experts) return;
    if (memory.isComplete || options.streaming?.fill === false) return;
    const { signal } = closing;
    this.lost.catch(() => closing.abort());
    const reads = [...(experts.planes ? [experts.planes.readBase] : []), experts.read];
    const keep = reads.map((read) => (layer: number, unit: number) => {
      return isCached(folder) && !folder.cache.status.isReadOnly ? read(layer, unit, signal) : undefined;
    });
    const queue = this.#queue;
    import('./load/fill.ts')
      .then(({ fillExperts }) => fillExperts({ memory, queue, keep, signal }))
      .catch(() => {}); // they come on demand
  }

  async #openGpu(
    limits: Partial<AdapterFacts['limits']>,
    { activations = 'f32' }: LoadOptions,
  ): Promise<Gpu> {
    const { device = 'gpu', gpu: entry, adapterClass } = this.#options;
    if (activations === 'f16' && !this.adapter.f16) {
      throw new AtomoeError(
        'limit-too-small',
        'activations: "f16" needs shader-f16, this adapter has none; leave it out: f32 is the default',
      );
    }
    const features = [
      'subgroups',
      'timestamp-query',
      ...(activations === 'f16' ? ['shader-f16'] : []),
    ] as const;
    const gpu =
      typeof device === 'string'
        ? await Gpu.open({
            gpu: entry,
            features: features as readonly ('subgroups' | 'timestamp-query' | 'shader-f16')[],
            limits: this.#options.limits === 'default' ? 'default' : limits,
            adapterClass,
          })
        : Gpu.adopt(device, adapterClass);
    gpu.lost.catch((error: unknown) => this.#fail(error));
    return gpu;
  }

  #assertUsable(): void {
    if (this.#isDisposed)
      throw new AtomoeError('disposed', 'this engine was disposed; call createEngine() again');
  }

  #assertLoaded(): LoadedModel {
    this.#assertUsable();
    if (!this.#loaded) {
      throw new AtomoeError('bad-input', 'no model is loaded; wanted one; await engine.load(model) first');
    }
    return this.#loaded;
  }
}
