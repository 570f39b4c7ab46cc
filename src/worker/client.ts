/** The page's side: an `Engine` whose work happens at the other end of a port. */
import type {
  AdapterReport,
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletions,
  ChatCompletionStream,
  Engine,
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
} from '../engine/api.ts';
import { readChatBody } from '../engine/completions-request.ts';
import { onAbort, ReplyStream } from '../engine/reply-stream.ts';
import { AtomoeError } from '../errors.ts';
import { SharedFolders } from './client-files.ts';
import { Inbox } from './client-stream.ts';
import {
  decodeError,
  type CallRequest,
  type CallResult,
  type FileRequest,
  type OpenOptions,
  type PortLike,
  type StreamItem,
  type StreamRequest,
  type ToClient,
  type ToHost,
  type WireSource,
} from './protocol.ts';

/** Events that may wait unread on the page before the worker stops generating. */
const STREAM_CREDITS = 64;
const CREDIT_EVERY = 16;

export interface ConnectOptions extends OpenOptions {
  readonly signal?: AbortSignal;
  /** Ends the worker; called once, after it was told to dispose or when it is given up. */
  readonly close?: () => void;
}

/** An engine behind a port, and the way to say that the other end is gone. */
export interface Connection {
  readonly engine: Promise<Engine>;
  /** Fails every call now and later with one error. */
  fail(error: AtomoeError): void;
}

/** Speaks to `hostEngine` at the other end of `port`. */
export function connectEngine(port: PortLike, options: ConnectOptions = {}): Connection {
  const link = new Link(port, options.close ?? (() => {}));
  const { signal, close: _close, ...open } = options;
  const engine = link.call({ kind: 'open', options: open }, signal).then((result): Engine => {
    return new WorkerEngine(link, expectResult(result, 'opened').adapter);
  });
  engine.catch(() => link.dispose()); // a worker without an engine is of no use
  return { engine, fail: (error) => link.fail(error) };
}

interface PendingCall {
  readonly resolve: (result: CallResult) => void;
  readonly reject: (reason: unknown) => void;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: LoadProgress) => void) | undefined;
}

interface PendingStream {
  readonly inbox: Inbox<StreamItem>;
  readonly signal: AbortSignal | undefined;
  readonly onTokens: (tokens: number) => void;
}

/** Requests, their answers, and the three ways out: an answer, an abort, the end of the worker. */
class Link {
  readonly #port: PortLike;
  #close: (() => void) | undefined;
  #goodbye: ReturnType<typeof setTimeout> | undefined;
  readonly #calls = new Map<number, PendingCall>();
  readonly #streams = new Map<number, PendingStream>();
  readonly #folders: SharedFolders;
  readonly lost: Promise<never>;
  #rejectLost: (reason: AtomoeError) => void = () => {};
  #nextId = 0;
  #ended: AtomoeError | undefined; // why nothing works any more
  #isDisposed = false;
  model: ModelInfo | undefined;
  memory: MemoryReport = EMPTY_MEMORY;

  constructor(port: PortLike, close: () => void) {
    this.#port = port;
    this.#close = close;
    this.#folders = new SharedFolders((answer, transfer) => this.#port.postMessage(answer, transfer ?? []));
    this.lost = new Promise<never>((_, reject) => (this.#rejectLost = reject));
    this.lost.catch(() => {}); // nobody is obliged to listen
    port.addEventListener('message', (event) => this.#receive(event.data as ToClient));
    port.addEventListener('messageerror', () => this.fail(lostError('a message from it could not be read')));
    port.start?.();
  }

  post(message: ToHost): void {
    if (!this.#ended) this.#port.postMessage(message);
  }

  async call(
    request: CallRequest,
    signal?: AbortSignal,
    onProgress?: (progress: LoadProgress) => void,
  ): Promise<CallResult> {
    signal?.throwIfAborted();
    this.throwIfEnded();
    const id = this.#nextId++;
    const onAbort = (): void => this.post({ kind: 'abort', id });
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await new Promise<CallResult>((resolve, reject) => {
        this.#calls.set(id, { resolve, reject, signal, onProgress });
        this.#port.postMessage({ ...request, id });
      });
    } finally {
      this.#calls.delete(id);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Begins a stream; `started` settles when the other end has begun it. */
  begin(
    request: WithoutCredits<StreamRequest>,
    signal?: AbortSignal,
    onTokens = (_: number): void => {},
  ): Stream {
    this.throwIfEnded();
    const id = this.#nextId++;
    const inbox = new Inbox<StreamItem>(CREDIT_EVERY, (count) => this.post({ kind: 'credit', id, count }));
    this.#streams.set(id, { inbox, signal, onTokens });
    const onAbort = (): void => this.post({ kind: 'abort', id });
    this.#port.postMessage({ ...request, id, credits: STREAM_CREDITS });
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    return {
      started: inbox.started,
      items: this.#read(id, inbox, () => signal?.removeEventListener('abort', onAbort)),
    };
  }

  async *#read(id: number, inbox: Inbox<StreamItem>, cleanUp: () => void): AsyncGenerator<StreamItem, void> {
    try {
      for (let item = await inbox.take(); item; item = await inbox.take()) yield item;
    } finally {
      if (!inbox.hasEnded) {
        this.post({ kind: 'leave', id });
        await inbox.drain(); // the session is free again when the loop has been left
      }
      this.#streams.delete(id);
      cleanUp();
    }
  }

  wireSource(source: ModelSource): WireSource {
    if (typeof source === 'string') return { kind: 'url', url: absoluteUrl(source) };
    if ('open' in source) {
      return { kind: 'proxy', folder: this.#folders.share(source), label: source.label, entry: source.entry };
    }
    return { kind: 'files', files: [...source] };
  }

  fail(error: AtomoeError): void {
    if (this.#ended) return;
    this.#ended = error;
    this.#rejectLost(error);
    this.#settleAll(error);
    this.#closeOnce();
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    const wasAlive = !this.#ended;
    this.post({ kind: 'dispose' });
    this.#ended ??= new AtomoeError('disposed', 'The engine was disposed; create another one to go on.');
    this.#settleAll(this.#ended);
    // A worker too busy to say goodbye is ended anyway; its GPU memory goes with it.
    if (wasAlive) this.#goodbye = setTimeout(() => this.#closeOnce(), GOODBYE_MS);
  }

  throwIfEnded(): void {
    if (this.#ended) throw this.#ended;
  }

  #closeOnce(): void {
    clearTimeout(this.#goodbye);
    this.#close?.();
    this.#close = undefined;
  }

  #forgetModel(): void {
    this.model = undefined;
    this.memory = EMPTY_MEMORY;
  }

  #settleAll(error: AtomoeError): void {
    this.#forgetModel();
    for (const call of this.#calls.values()) call.reject(error);
    for (const stream of this.#streams.values()) stream.inbox.end({ kind: 'failed', error });
    this.#folders.dispose();
  }

  #receive(message: ToClient): void {
    switch (message.kind) {
      case 'result':
        return this.#calls.get(message.id)?.resolve(message.result);
      case 'progress':
        return this.#calls.get(message.id)?.onProgress?.(message.progress);
      case 'started':
        return this.#streams.get(message.id)?.inbox.start();
      case 'events': {
        this.memory = message.memory;
        const stream = this.#streams.get(message.id);
        stream?.onTokens(message.tokens);
        return stream?.inbox.push(message.items);
      }
      case 'ended':
        this.#streams.get(message.id)?.onTokens(message.tokens);
        return this.#streams.get(message.id)?.inbox.end({ kind: 'ended' });
      case 'failed':
        return this.#failOne(message);
      case 'lost': {
        const error = decodeError(message.error);
        return this.fail(error instanceof AtomoeError ? error : lostError('its engine failed', error));
      }
      case 'disposed':
        return this.#closeOnce();
      default:
        return this.#folders.receive(message satisfies FileRequest);
    }
  }

  #failOne(message: ToClient & { kind: 'failed' }): void {
    if (!message.isLoaded) this.#forgetModel();
    const call = this.#calls.get(message.id);
    call?.reject(decodeError(message.error, call.signal));
    const stream = this.#streams.get(message.id);
    stream?.inbox.end({ kind: 'failed', error: decodeError(message.error, stream.signal) });
  }
}

type WithoutCredits<T> = T extends unknown ? Omit<T, 'credits'> : never;

interface Stream {
  readonly started: Promise<void>;
  readonly items: AsyncGenerator<StreamItem, void>;
}

/** How long a worker has to dispose of its engine before it is ended. */
const GOODBYE_MS = 1000;

const EMPTY_MEMORY: MemoryReport = {
  totalBytes: 0,
  weightsBytes: 0,
  expertsBytes: 0,
  kvCacheBytes: 0,
  activationsBytes: 0,
  stagingBytes: 0,
};

class WorkerEngine implements Engine {
  readonly adapter: AdapterReport;
  readonly chat: { readonly completions: ChatCompletions };
  readonly #link: Link;
  #nextSession = 0;

  constructor(link: Link, adapter: AdapterReport) {
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

  async plan(model: ModelSource, options: LoadOptions = {}): Promise<ModelPlan> {
    const { signal, onProgress, ...rest } = withoutFetch(options);
    const request = { kind: 'plan', source: this.#link.wireSource(model), options: rest } as const;
    return expectResult(await this.#link.call(request, signal, onProgress), 'planned').plan;
  }

  async load(model: ModelSource, options: LoadOptions = {}): Promise<ModelInfo> {
    const { signal, onProgress, ...rest } = withoutFetch(options);
    const request = { kind: 'load', source: this.#link.wireSource(model), options: rest } as const;
    const loaded = expectResult(await this.#link.call(request, signal, onProgress), 'loaded');
    this.#link.memory = loaded.memory;
    this.#link.model = loaded.model;
    return loaded.model;
  }

  session(): Session {
    this.#link.throwIfEnded();
    return new WorkerSession(this.#link, this.#nextSession++);
  }

  memory(): MemoryReport {
    return this.#link.memory;
  }

  async resize(change: Pick<LoadOptions, 'memoryBudget' | 'streaming'>): Promise<ModelPlan> {
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

  dispose(): void {
    this.#link.dispose();
  }
}

class WorkerSession implements Session {
  readonly #link: Link;
  readonly #session: number;
  #tokens = 0;

  constructor(link: Link, session: number) {
    this.#link = link;
    this.#session = session;
    link.post({ kind: 'session', session });
  }

  get tokens(): number {
    return this.#tokens;
  }

  async *generate(prompt: Prompt, options: GenerateOptions = {}): AsyncGenerator<GenerateEvent, void> {
    const { signal, ...rest } = options;
    const request = { kind: 'generate', session: this.#session, prompt, options: rest } as const;
    const stream = this.#link.begin(request, signal, (tokens) => (this.#tokens = tokens));
    yield* stream.items as AsyncGenerator<GenerateEvent, void>;
  }

  reset(): void {
    this.#tokens = 0;
    this.#link.post({ kind: 'session-reset', session: this.#session });
  }

  dispose(): void {
    this.#tokens = 0;
    this.#link.post({ kind: 'session-dispose', session: this.#session });
  }
}

function createCompletion(link: Link): ChatCompletions['create'] {
  async function create(given: unknown, options?: unknown): Promise<ChatCompletion | ChatCompletionStream> {
    const { body, signal } = readChatBody(given, options);
    signal?.throwIfAborted();
    if (!body.stream) {
      return expectResult(await link.call({ kind: 'complete', request: body }, signal), 'completed')
        .completion;
    }
    const controller = new AbortController();
    const unfollow = onAbort(signal, () => controller.abort(signal?.reason));
    const stream = link.begin({ kind: 'complete-stream', request: body }, controller.signal);
    await stream.started;
    const chunks = new ReplyStream(stream.items as AsyncGenerator<ChatCompletionChunk, void>, unfollow);
    return { controller, [Symbol.asyncIterator]: () => chunks };
  }
  return create as ChatCompletions['create'];
}

/** The error for a worker that is gone. */
export function lostError(how: string, cause?: unknown): AtomoeError {
  const message = `The engine's worker is gone: ${how}; a running worker is needed. Create the engine again to go on.`;
  return new AtomoeError('device-lost', message, cause === undefined ? {} : { cause });
}

function expectResult<K extends CallResult['kind']>(result: CallResult, kind: K): CallResult & { kind: K } {
  if (result.kind !== kind) throw new Error(`the worker answered ${result.kind}, expected ${kind}`);
  return result as CallResult & { kind: K };
}

/** @throws {AtomoeError} bad-input - a function stays on the page: it cannot be called from the worker */
export function withoutFetch<T extends Pick<LoadOptions, 'fetch'>>(options: T): Omit<T, 'fetch'> {
  const { fetch, ...rest } = options;
  if (fetch === undefined) return rest;
  throw new AtomoeError(
    'bad-input',
    'fetch is a function, and the engine runs in a worker, where functions of the page cannot be called; wanted headers, ' +
      'or an engine in this thread; give headers, use createEngine(), or hand over an object that opens the files by name',
  );
}

/** A relative address means the page's, not the worker script's. A page made of a blob has only its maker's origin. */
function absoluteUrl(url: string): string {
  const { document, location } = globalThis as { document?: Document; location?: Location };
  const bases = [document?.baseURI, location?.href, location?.origin];
  const base = bases.find((each) => each !== undefined && URL.canParse('x', each));
  return base === undefined || !URL.canParse(url, base) ? url : new URL(url, base).href;
}
