/**
 * A test helper: an `Engine` that plays a script instead of running a model. It keeps the contracts that the worker,
 * the store and the element lean on (abort, busy, disposed, leaving the loop), and nothing else.
 */
import { makeTextCompletions } from '../engine/talk/completions.ts';
import type {
  AdapterReport,
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ChatCompletions,
  ChatCompletionStream,
  ChatMessage,
  ChatToolCall,
  DispatchReport,
  Engine,
  FinishReason,
  GenerateEvent,
  GenerateOptions,
  LoadOptions,
  LoadProgress,
  MemoryReport,
  ModelInfo,
  ModelPlan,
  ModelSource,
  Prompt,
  Session,
  StreamingReport,
  TokenRoutes,
  RestoreReport,
  TokenLogprob,
} from '../engine/api.ts';
import { AtomoeError } from '../errors.ts';

/** What the fake engine plays. */
export interface FakeScript {
  readonly words?: readonly string[]; // one token each
  readonly thoughts?: readonly string[]; // one token each, before the words
  readonly hasChatTemplate?: boolean;
  readonly plan?: Partial<ModelPlan>;
  readonly grid?: number;
  readonly layers?: number;
  readonly perLayer?: number;
  readonly routes?: (index: number) => TokenRoutes;
  readonly planError?: unknown;
  readonly loadError?: unknown;
  readonly reason?: 'stop' | 'length'; // why replies end by themselves
  readonly toolCalls?: readonly ChatToolCall[];
  readonly tokens?: (prompt: Prompt) => number; // of a prompt; by default all fit the context
  readonly replyError?: { readonly afterTokens: number; readonly error: unknown };
  readonly progress?: readonly LoadProgress[];
  readonly streaming?: StreamingReport;
  /** Waited for before each token; a test holds the stream here. */
  readonly beforeToken?: (index: number, signal: AbortSignal | undefined) => Promise<void>;
  /** Waited for between two reports of a load. */
  readonly duringLoad?: (signal: AbortSignal | undefined) => Promise<void>;
}

const ADAPTER: AdapterReport = {
  device: 'gpu',
  name: 'fake adapter',
  f16: true,
  subgroups: false,
  adapterClass: 'software',
  why: '',
  maxBindingBytes: 134_217_728,
};

const PLAN: ModelPlan = {
  adapter: ADAPTER,
  family: 'fake',
  layers: 2,
  hidden: 8,
  vocab: 16,
  parameters: 8_500_000,
  experts: 16,
  expertsPerToken: 2,
  contextTokens: 64,
  bytes: {
    download: 17_000_000,
    dense: 1_000_000,
    oneExpert: 1000,
    allExperts: 16_000_000,
    kvCache: 100_000,
    activations: 50_000,
    staging: 0,
    experts: 16_000_000,
    perToken: 100_000,
    gpuTotal: 17_150_000,
    least: 2_000_000,
  },
  streams: false,
  unitsPerLayer: 16,
  slotsPerLayer: 16,
  cacheRatio: 16,
  fits: true,
  why: '',
  refusedKernels: [],
  notes: [],
};

const MEMORY: MemoryReport = {
  totalBytes: 17_150_000,
  weightsBytes: 1_000_000,
  expertsBytes: 16_000_000,
  kvCacheBytes: 100_000,
  activationsBytes: 50_000,
  stagingBytes: 0,
};

/** What a prompt says. */
function wordsOf(prompt: Prompt): string {
  if (typeof prompt === 'string') return prompt;
  return prompt
    .map((each) => (typeof each === 'number' ? WORDS[each % WORDS.length] : each.content))
    .join(' ');
}

const WORDS = ['Once', ' upon', ' a', ' time', ',', ' a', ' fox', ' sang', '.'];

/** An engine without a model: plays a script. */
export class FakeEngine implements Engine {
  readonly adapter = ADAPTER;
  readonly lost: Promise<never>;
  readonly chat: { readonly completions: ChatCompletions };
  readonly completions = makeTextCompletions(this);
  readonly script: FakeScript;
  /** What was asked, for assertions. */
  readonly prompts: Prompt[] = [];
  readonly options: GenerateOptions[] = []; // beside each prompt
  readonly sources: ModelSource[] = [];
  pulled = 0; // tokens that a reader has asked for
  model: ModelInfo | undefined;
  isDisposed = false;
  #rejectLost: (reason: unknown) => void = () => {};

  constructor(script: FakeScript = {}) {
    this.script = script;
    this.lost = new Promise<never>((_, reject) => (this.#rejectLost = reject));
    this.lost.catch(() => {});
    this.chat = { completions: { create: fakeCompletions(this) } };
  }

  /** Plays a device that goes away. */
  lose(error: AtomoeError): void {
    this.#rejectLost(error);
  }

  async plan(model: ModelSource, options: LoadOptions = {}): Promise<ModelPlan> {
    options.signal?.throwIfAborted();
    this.sources.push(model);
    await nextTask();
    if (this.script.planError !== undefined) throw this.script.planError;
    return { ...PLAN, ...this.script.plan };
  }

  async load(model: ModelSource, options: LoadOptions = {}): Promise<ModelInfo> {
    this.sources.push(model);
    for (const progress of this.script.progress ?? [{ kind: 'planning' }, { kind: 'ready' }]) {
      await (this.script.duringLoad?.(options.signal) ?? nextTask());
      options.signal?.throwIfAborted();
      options.onProgress?.(progress);
    }
    if (this.script.loadError !== undefined) throw this.script.loadError;
    const { grid, layers = 2, perLayer = grid ? grid * grid : 16 } = this.script;
    this.model = {
      label: typeof model === 'string' ? model : 'files',
      family: 'fake',
      plan: { ...PLAN, ...this.script.plan },
      hasChatTemplate: this.script.hasChatTemplate ?? false,
      experts: { layers, perLayer, ...(grid === undefined ? {} : { grid }) },
    };
    return this.model;
  }

  async resize({ memoryBudget }: Pick<LoadOptions, 'memoryBudget' | 'streaming'>): Promise<ModelPlan> {
    await nextTask();
    if (!this.model) throw new AtomoeError('bad-input', 'no model is loaded');
    const { least, gpuTotal } = this.model.plan.bytes;
    const budget = typeof memoryBudget === 'number' ? memoryBudget : gpuTotal;
    if (budget < least) {
      throw new AtomoeError('limit-too-small', `it needs ${least} bytes of GPU memory at least`);
    }
    const share = Math.min(1, (budget - least) / (gpuTotal - least));
    const slotsPerLayer = Math.max(1, Math.round(share * 16));
    const plan = { ...this.model.plan, streams: share < 1, slotsPerLayer, cacheRatio: slotsPerLayer };
    this.model = { ...this.model, plan };
    return plan;
  }

  async streaming(): Promise<StreamingReport | undefined> {
    await nextTask();
    return this.script.streaming;
  }

  async logits(ids: readonly number[]): Promise<Float32Array> {
    await nextTask();
    return new Float32Array(ids.length * PLAN.vocab);
  }

  async profile(): Promise<readonly DispatchReport[]> {
    await nextTask();
    return [{ label: 'linear head', kernel: 'linear/f32', ms: 0.1 }];
  }

  session(): Session {
    if (this.isDisposed) throw disposed();
    if (!this.model) throw new AtomoeError('bad-input', 'No model is loaded; load one.');
    return new FakeSession(this);
  }

  /** A token for each word, unless the script says how many. */
  async tokenize(prompt: Prompt): Promise<number[]> {
    const tokens = this.script.tokens?.(prompt) ?? wordsOf(prompt).split(/\s+/).length;
    return Array.from({ length: tokens }, (_, index) => index);
  }

  async detokenize(ids: readonly number[]): Promise<string> {
    return ids.map((id) => WORDS[id % WORDS.length]).join('');
  }

  async score(_prompt: Prompt, text: string): Promise<TokenLogprob[]> {
    return text.split(/(?= )/).map((word, id) => ({ id, text: word, logprob: -1, bytes: null }));
  }

  memory(): MemoryReport {
    if (!this.model || this.isDisposed) throw new AtomoeError('bad-input', 'No model is loaded; load one.');
    return MEMORY;
  }

  dispose(): void {
    this.isDisposed = true;
    this.model = undefined;
  }
}

class FakeSession implements Session {
  readonly #engine: FakeEngine;
  #isBusy = false;
  tokens = 0;

  constructor(engine: FakeEngine) {
    this.#engine = engine;
  }

  async *generate(prompt: Prompt, options: GenerateOptions = {}): AsyncGenerator<GenerateEvent, void> {
    const { words = WORDS, thoughts = [], routes = routesOf, beforeToken, replyError } = this.#engine.script;
    if (prompt.length === 0) throw new AtomoeError('bad-input', 'The prompt is empty; write something.');
    if (this.#isBusy) throw new AtomoeError('busy', 'The session is replying; wait or stop it.');
    const tokens = this.#engine.script.tokens?.(prompt) ?? 0;
    if (tokens > 0 && tokens >= (this.#engine.model?.plan.contextTokens ?? 0)) {
      throw new AtomoeError('context-full', 'the prompt is longer than the context; shorten it');
    }
    this.#isBusy = true;
    this.#engine.prompts.push(prompt);
    this.#engine.options.push(options);
    try {
      let [text, reasoning] = ['', ''];
      let reason: FinishReason = this.#engine.script.reason ?? 'stop';
      yield { kind: 'prefill', doneTokens: 3, totalTokens: 3 };
      for (const [index, word] of [...thoughts, ...words].entries()) {
        const isThought = index < thoughts.length;
        await (beforeToken?.(index, options.signal) ?? nextTask());
        if (this.#engine.isDisposed) throw disposed();
        if (replyError?.afterTokens === index) throw replyError.error;
        if (options.signal?.aborted) {
          reason = 'abort';
          break;
        }
        this.#engine.pulled++;
        this.tokens++;
        if (isThought) reasoning += word;
        else text += word;
        yield {
          kind: 'token',
          id: index,
          ...(isThought ? { text: '', reasoning: word } : { text: word }),
          atMs: index,
          ...(options.routes ? { routes: routes(index) } : {}),
        };
      }
      const { toolCalls } = this.#engine.script;
      const said = { text, ...(reasoning === '' ? {} : { reasoning }), ...(toolCalls ? { toolCalls } : {}) };
      yield done(reason, said, options.seed ?? 7, this.tokens);
    } finally {
      this.#isBusy = false;
    }
  }

  async clone(): Promise<Session> {
    const clone = new FakeSession(this.#engine);
    clone.tokens = this.tokens;
    return clone;
  }

  async save(): Promise<Uint8Array<ArrayBuffer>> {
    return Uint8Array.of(this.tokens);
  }

  async restore(saved: Uint8Array): Promise<RestoreReport> {
    this.tokens = saved[0] ?? 0;
    return { tokens: this.tokens, how: 'copied' };
  }

  reset(): void {
    this.tokens = 0;
  }

  dispose(): void {
    this.tokens = 0;
  }
}

function done(
  reason: FinishReason,
  said: { text: string; reasoning?: string; toolCalls?: readonly ChatToolCall[] },
  seed: number,
  tokens: number,
): GenerateEvent {
  return {
    kind: 'done',
    reason,
    ...said,
    seed,
    usage: { promptTokens: 3, reusedTokens: 0, completionTokens: tokens },
    timings: { prefillMs: 10, firstTokenMs: 12, decodeMs: 90, tokensPerSecond: 100 },
  };
}

/** Two experts in each of two layers, walking with the token. */
function routesOf(index: number): TokenRoutes {
  return {
    ids: [
      [index % 16, (index + 5) % 16],
      [(3 * index) % 16, (3 * index + 1) % 16],
    ],
    weights: [
      [0.75, 0.25],
      [0.6, 0.4],
    ],
  };
}

function fakeCompletions(engine: FakeEngine): ChatCompletions['create'] {
  const shared = { id: 'fake', created: 0, model: 'fake', system_fingerprint: 'fp_fake' };
  async function* chunks(request: ChatCompletionRequest): AsyncGenerator<ChatCompletionChunk, void> {
    const options = request.signal ? { signal: request.signal } : {};
    const messages = request.messages as readonly ChatMessage[];
    for await (const event of engine.session().generate(messages, options)) {
      if (event.kind !== 'token') continue;
      const delta = { content: event.text };
      const choice = { index: 0, delta, finish_reason: null, logprobs: null } as const;
      yield { ...shared, object: 'chat.completion.chunk', choices: [choice] };
    }
  }
  async function create(request: ChatCompletionRequest): Promise<ChatCompletion | ChatCompletionStream> {
    if (request.messages.length === 0) throw new AtomoeError('bad-input', 'No messages; send at least one.');
    if (request.stream) return Object.assign(chunks(request), { controller: new AbortController() });
    let content = '';
    for await (const chunk of chunks(request)) content += chunk.choices[0]?.delta.content ?? '';
    const message = { role: 'assistant', content, refusal: null } as const;
    const timings = { prefillMs: 0, firstTokenMs: 0, decodeMs: 0, tokensPerSecond: 0 };
    const atomoe = { reason: 'stop', seed: 0, timings } as const;
    return {
      ...shared,
      object: 'chat.completion',
      choices: [{ index: 0, message, finish_reason: 'stop', logprobs: null, atomoe }],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    };
  }
  return create as ChatCompletions['create'];
}

function disposed(): AtomoeError {
  return new AtomoeError('disposed', 'The engine was disposed; create another one.');
}

function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
