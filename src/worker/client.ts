/** The page's side: an `Engine` whose work happens at the other end of a port. */
import type {
  AdapterReport,
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletions,
  ChatCompletionStream,
  DispatchReport,
  Engine,
  GenerateEvent,
  GenerateOptions,
  LoadOptions,
  MemoryReport,
  ModelInfo,
  ModelPlan,
  ModelSource,
  Prompt,
  PromptOptions,
  Session,
  StreamingReport,
  RestoreReport,
  ScoredToken,
  ScoreOptions,
  TextCompletions,
} from '../engine/api.ts';
import type { AutoMemory } from '../engine/load/auto-memory.ts';
import { attempt, neverReactive } from '../engine/checks.ts';
import { sessionBusy, sessionDisposed } from '../engine/failures.ts';
import { readPrompt, type CheckedPrompt } from '../engine/talk/messages.ts';
import { modelSource } from '../engine/load/model-source.ts';
import {
  readConnectOptions,
  readGenerateOptions,
  readLoadOptions,
  readResizeOptions,
} from '../engine/options.ts';
import { makeTextCompletions } from '../engine/talk/completions.ts';
import { onAbort, ReplyStream } from '../engine/talk/reply-stream.ts';
import { AtomoeError } from '../errors.ts';
import { Link, lostError } from './link.ts';
import type { CallResult, OpenOptions, PortLike, SessionCall, StreamItem, TextCall } from './protocol.ts';

export { lostError };

/** How a page connects to an engine at the other end of a port. */
export interface ConnectOptions extends Omit<OpenOptions, 'autoBudget'> {
  /** What `memoryBudget: 'auto'` means, watched over from this side. */
  readonly memory?: AutoMemory;
  readonly signal?: AbortSignal;
  /** Ends the worker; called once, after it was asked to dispose or when it is given up. */
  readonly close?: () => void;
}

/** An engine behind a port, and the way to say that the other end is gone. */
export interface Connection {
  readonly engine: Promise<Engine>;
  /** Fails every call now and later with one error. */
  fail(error: AtomoeError): void;
}

/**
 * Speaks to `hostEngine` at the other end of `port`.
 *
 * @throws {AtomoeError} bad-input - an unknown or a wrong option
 */
export function connectEngine(port: PortLike, options: ConnectOptions = {}): Connection {
  const { signal, close = () => {}, memory, ...rest } = readConnectOptions(options);
  const link = new Link(port, close, memory);
  const open = memory
    ? { ...rest, autoBudget: { budgetBytes: memory.budgetBytes, note: memory.note } }
    : rest;
  const engine = link.call({ kind: 'open', options: open }, signal).then((result): Engine => {
    return new WorkerEngine(link, expectResult(result, 'opened').adapter);
  });
  engine.catch(() => link.dispose()); // a worker without an engine is of no use
  return { engine, fail: (error) => link.fail(error) };
}

class WorkerEngine implements Engine {
  readonly adapter: AdapterReport;
  readonly chat: { readonly completions: ChatCompletions };
  readonly completions: TextCompletions = makeTextCompletions(this);
  readonly #link: Link;
  #nextSession = 0;

  constructor(link: Link, adapter: AdapterReport) {
    neverReactive(this);
    this.#link = link;
    this.adapter = adapter;
    this.chat = { completions: { create: createCompletion(link) } };
  }

  get model(): ModelInfo | undefined {
    return this.#link.model;
  }

  get lost(): Promise<never> {
    return this.#link.lost;
  }

  async plan(model: ModelSource, given: LoadOptions = {}): Promise<ModelPlan> {
    const { request, signal, onProgress } = this.#loadCall('plan', model, given);
    return expectResult(await this.#link.call(request, signal, onProgress), 'planned').plan;
  }

  async load(model: ModelSource, given: LoadOptions = {}): Promise<ModelInfo> {
    const { request, signal, onProgress } = this.#loadCall('load', model, given);
    const { autoMemory } = this.#link;
    if ((request.options.memoryBudget ?? 'auto') === 'auto') await autoMemory?.begin();
    const result = await this.#link.call(request, signal, onProgress).catch((error: unknown) => {
      autoMemory?.settle();
      throw error;
    });
    const loaded = expectResult(result, 'loaded');
    this.#link.memory = loaded.memory;
    this.#link.model = loaded.model;
    return loaded.model;
  }

  #loadCall(kind: 'plan' | 'load', model: ModelSource, given: LoadOptions) {
    const { signal, onProgress, ...options } = withoutFunctions(readLoadOptions(given));
    const source = modelSource(model, 'the model');
    this.#link.throwIfEnded();
    signal?.throwIfAborted();
    return { request: { kind, source: this.#link.wireSource(source), options }, signal, onProgress } as const;
  }

  session(): Session {
    this.#link.throwIfEnded();
    return new WorkerSession(this.#link, () => this.#nextSession++);
  }

  async tokenize(prompt: Prompt, options: PromptOptions = {}): Promise<number[]> {
    return this.#ask('tokenize', [readPrompt(prompt), options]);
  }

  detokenize(ids: readonly number[]): Promise<string> {
    return this.#ask('detokenize', [ids]);
  }

  async score(
    prompt: Prompt,
    text: string | readonly number[],
    { signal, ...options }: ScoreOptions = {},
  ): Promise<ScoredToken[]> {
    return this.#ask('score', [readPrompt(prompt), text, options], signal);
  }

  async #ask<T>(name: TextCall['name'], given: readonly unknown[], signal?: AbortSignal): Promise<T> {
    return askedOf<T>(await this.#link.call({ kind: 'text', ask: { name, given } }, signal)).value;
  }

  memory(): MemoryReport {
    return this.#link.memory;
  }

  async resize(given: Pick<LoadOptions, 'memoryBudget' | 'streaming'>): Promise<ModelPlan> {
    const change = withoutFunctions(readResizeOptions(given));
    const resized = expectResult(await this.#link.call({ kind: 'resize', change }), 'loaded');
    this.#link.memory = resized.memory;
    this.#link.model = resized.model;
    return resized.model.plan;
  }

  async streaming(): Promise<StreamingReport | undefined> {
    const { report, memory } = expectResult(await this.#link.call({ kind: 'streaming' }), 'streaming');
    this.#link.memory = memory;
    return report;
  }

  async logits(given: readonly number[], mode: 'at-once' | 'one-by-one' = 'at-once'): Promise<Float32Array> {
    const ids = Array.isArray(given) ? [...given] : given; // a copy can be cloned where a framework's proxy cannot
    return expectResult(await this.#link.call({ kind: 'logits', ids, mode }), 'logits').logits;
  }

  async profile(): Promise<readonly DispatchReport[]> {
    return expectResult(await this.#link.call({ kind: 'profile' }), 'profile').dispatches;
  }

  dispose(): void {
    this.#link.dispose();
  }
}

/** A session that is no longer referenced is disposed of at the other end. */
const droppedSessions = new FinalizationRegistry<() => void>((dispose) => dispose());

class WorkerSession implements Session {
  readonly #link: Link;
  readonly #number: () => number; // of a further session
  readonly #session: number;
  #tokens = 0;
  #isReplying = false;
  #isDisposed = false;

  /** @param isOpen - at the other end, as a clone is */
  constructor(link: Link, number: () => number, isOpen = false) {
    neverReactive(this);
    this.#link = link;
    this.#number = number;
    const session = number();
    this.#session = session;
    if (!isOpen) link.post({ kind: 'session', session });
    droppedSessions.register(this, () => link.post({ kind: 'session-dispose', session }));
  }

  get tokens(): number {
    return this.#tokens;
  }

  generate(prompt: Prompt, options: GenerateOptions = {}): AsyncIterableIterator<GenerateEvent, void> {
    const request = attempt(() => ({
      prompt: readPrompt(prompt),
      options: withoutStrategy(readGenerateOptions(options)),
    }));
    return new ReplyStream(() => this.#generate(request));
  }

  async *#generate(
    read: () => { prompt: CheckedPrompt; options: GenerateOptions },
  ): AsyncGenerator<GenerateEvent, void> {
    this.#assertFree();
    const { prompt, options } = read();
    const { signal, ...rest } = options;
    const request = { kind: 'generate', session: this.#session, prompt, options: rest } as const;
    const onTokens = (tokens: number): void => {
      this.#tokens = this.#isDisposed ? 0 : tokens;
    };
    const onEnd = (): void => {
      this.#isReplying = false;
    };
    const stream = this.#link.begin(request, { signal, onTokens, onEnd });
    this.#isReplying = true;
    yield* stream.items as AsyncIterable<GenerateEvent> as AsyncGenerator<GenerateEvent, void>;
  }

  reset(): void {
    this.#assertFree();
    this.#tokens = 0;
    this.#link.post({ kind: 'session-reset', session: this.#session });
  }

  async clone(): Promise<Session> {
    const clone = new WorkerSession(this.#link, this.#number, true);
    await this.#hold({ name: 'clone', given: [], as: clone.#session });
    clone.#tokens = this.#tokens;
    return clone;
  }

  save(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#hold({ name: 'save', given: [] });
  }

  restore(saved: Uint8Array, { signal }: { signal?: AbortSignal } = {}): Promise<RestoreReport> {
    return this.#hold({ name: 'restore', given: [saved] }, signal);
  }

  /** A call that no reply may come between. */
  async #hold<T>(ask: SessionCall, signal?: AbortSignal): Promise<T> {
    this.#assertFree();
    this.#isReplying = true;
    try {
      const call = { kind: 'held', session: this.#session, ask } as const;
      const { value, tokens = 0 } = askedOf<T>(await this.#link.call(call, signal));
      if (!this.#isDisposed) this.#tokens = tokens;
      return value;
    } finally {
      this.#isReplying = false;
    }
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#tokens = 0;
    this.#link.post({ kind: 'session-dispose', session: this.#session });
  }

  #assertFree(): void {
    this.#link.throwIfEnded();
    if (this.#isDisposed) throw sessionDisposed();
    if (this.#isReplying) throw sessionBusy();
  }
}

function createCompletion(link: Link): ChatCompletions['create'] {
  async function create(
    given: unknown,
    requestOptions?: unknown,
  ): Promise<ChatCompletion | ChatCompletionStream> {
    const { readChatBody } = await import('../engine/talk/completions-request.ts');
    const { body, signal } = readChatBody(given, requestOptions);
    withoutStrategy(body.atomoe ?? {});
    signal?.throwIfAborted();
    if (!body.stream) {
      return expectResult(await link.call({ kind: 'complete', request: body }, signal), 'completed')
        .completion;
    }
    const controller = new AbortController();
    const unfollow = onAbort(signal, () => controller.abort(signal?.reason));
    const options = { signal: controller.signal, waitsForReader: true, onEnd: unfollow };
    const stream = link.begin({ kind: 'complete-stream', request: body }, options);
    await stream.started;
    const chunks =
      stream.items as AsyncIterableIterator<StreamItem> as AsyncIterableIterator<ChatCompletionChunk>;
    return { controller, [Symbol.asyncIterator]: () => chunks };
  }
  return create as ChatCompletions['create'];
}

function expectResult<K extends CallResult['kind']>(result: CallResult, kind: K): CallResult & { kind: K } {
  if (result.kind !== kind) {
    throw new AtomoeError('internal', `the worker answered ${result.kind}; wanted ${kind}; please report it`);
  }
  return result as CallResult & { kind: K };
}

function askedOf<T>(result: CallResult) {
  return expectResult(result, 'asked') as { readonly value: T; readonly tokens?: number };
}

/** @throws {AtomoeError} bad-input - a function stays on the page: it cannot be called from the worker */
export function withoutFunctions<T extends Pick<LoadOptions, 'fetch' | 'streaming' | 'routing'>>(
  options: T,
): Omit<T, 'fetch'> {
  const { fetch, ...rest } = options;
  if (fetch !== undefined) {
    throw notCallable(
      'fetch',
      'headers',
      'give headers, use createEngine(), or hand over an object that opens the files by name',
    );
  }
  if (typeof options.routing === 'function') {
    throw notCallable('routing', 'a description', 'give one for all layers or a list, or use createEngine()');
  }
  if (typeof options.streaming?.policy === 'function') {
    throw notCallable('streaming.policy', 'the name of a policy', 'name one, or use createEngine()');
  }
  return rest;
}

/** @throws {AtomoeError} bad-input - a strategy of the caller's stays on the page */
function withoutStrategy<T extends Pick<GenerateOptions, 'decoding'>>(options: T): T {
  if (typeof options.decoding !== 'object' || !('decode' in options.decoding)) return options;
  throw notCallable(
    'decoding.decode',
    'a strategy of the package',
    'use createEngine(), in a worker of your own if the page must stay smooth',
  );
}

function notCallable(option: string, wanted: string, advice: string): AtomoeError {
  return new AtomoeError(
    'bad-input',
    `${option} is a function, and the engine runs in a worker, where functions of the page cannot be called; wanted ${wanted}, ` +
      `or an engine in this thread; ${advice}`,
  );
}
