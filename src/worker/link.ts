/** The page's end of the port: requests, their answers, and the three ways out: an answer, an abort, the worker's end. */
import {
  NO_MEMORY,
  type LoadProgress,
  type MemoryReport,
  type ModelFiles,
  type ModelInfo,
  type ModelSource,
} from '../engine/api.ts';
import { textOf, typedError } from '../engine/failures.ts';
import { onAbort, ReplyStream } from '../engine/talk/reply-stream.ts';
import type { AutoMemory } from '../engine/load/auto-memory.ts';
import { AtomoeError } from '../errors.ts';
import type { SharedFolders } from './client-files.ts';
import { Inbox, type Ending } from './client-stream.ts';
import {
  decodeError,
  encodeError,
  type CallRequest,
  type CallResult,
  type FileAnswer,
  type FileRequest,
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
  readonly onEnd: () => void;
}

/** What the reader of a stream brings. */
export interface StreamOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onTokens?: (tokens: number) => void;
  readonly onEnd?: () => void; // however it ends, read or not
  /** The other end begins when the stream is first read, and not when it is asked for. */
  readonly waitsForReader?: boolean;
}

/** Before any token. */
function isBefore(item: StreamItem): boolean {
  return 'kind' in item && (item.kind === 'prefill' || item.kind === 'library');
}

/** Requests, their answers, and the three ways out: an answer, an abort, the end of the worker. */
export class Link {
  readonly #port: PortLike;
  #close: (() => void) | undefined;
  #goodbye: ReturnType<typeof setTimeout> | undefined;
  readonly #calls = new Map<number, PendingCall>();
  readonly #streams = new Map<number, PendingStream>();
  readonly #shared = new Map<number, ModelFiles>(); // that the worker may read, by number
  #folders: Promise<SharedFolders> | undefined; // once it does
  readonly autoMemory: AutoMemory | undefined; // watched over from this side
  readonly lost: Promise<never>;
  #rejectLost: (reason: AtomoeError) => void = () => {};
  #nextId = 0;
  #ended: AtomoeError | undefined; // why nothing works any more
  #isDisposed = false;
  model: ModelInfo | undefined;
  memory: MemoryReport = NO_MEMORY;

  constructor(port: PortLike, close: () => void, autoMemory?: AutoMemory) {
    this.#port = port;
    this.autoMemory = autoMemory;
    this.#close = close;
    this.lost = new Promise<never>((_, reject) => (this.#rejectLost = reject));
    this.lost.catch(() => {}); // listening is optional
    port.addEventListener('message', (event) => this.#receive(event.data as ToClient | undefined));
    port.addEventListener('messageerror', () => this.fail(lostError('a message from it could not be read')));
    port.start?.();
  }

  post(message: ToHost): void {
    if (!this.#ended) this.#send(message);
  }

  #send(message: ToHost): void {
    try {
      this.#port.postMessage(message);
    } catch (cause) {
      throw new AtomoeError(
        'bad-input',
        `what was given cannot be sent to the worker: ${textOf(cause)}; wanted plain data and files; leave out ` +
          'functions and objects of your own classes',
        { cause },
      );
    }
  }

  async call(
    request: CallRequest,
    signal?: AbortSignal,
    onProgress?: (progress: LoadProgress) => void,
  ): Promise<CallResult> {
    signal?.throwIfAborted();
    this.throwIfEnded();
    const id = this.#nextId++;
    const unlisten = onAbort(signal, () => this.post({ kind: 'abort', id }));
    try {
      return await new Promise<CallResult>((resolve, reject) => {
        this.#calls.set(id, { resolve, reject, signal, onProgress });
        this.#send({ ...request, id });
      });
    } finally {
      this.#calls.delete(id);
      unlisten();
    }
  }

  /** Begins a stream; `started` settles when the other end has taken it on. */
  begin(request: WithoutCredits<StreamRequest>, options: StreamOptions = {}): Stream {
    this.throwIfEnded();
    const { signal, onTokens = () => {}, onEnd = () => {}, waitsForReader = false } = options;
    const id = this.#nextId++;
    const inbox = new Inbox<StreamItem>(CREDIT_EVERY, (count) => this.post({ kind: 'credit', id, count }));
    const abort = (): void => this.post({ kind: 'abort', id });
    this.#send({ ...request, id, credits: waitsForReader ? 0 : STREAM_CREDITS });
    const unlisten = onAbort(signal, abort);
    const ends = (): void => {
      unlisten();
      onEnd();
    };
    this.#streams.set(id, { inbox, signal, onTokens, onEnd: ends });
    if (signal?.aborted) abort();
    const leave = (): void => {
      if (!inbox.hasEnded) this.post({ kind: 'leave', id });
    };
    const read = (): AsyncGenerator<StreamItem, void> => {
      return this.#read(inbox, leave, () => {
        if (waitsForReader) this.post({ kind: 'credit', id, count: STREAM_CREDITS });
      });
    };
    return { started: inbox.started, items: new ReplyStream(read, leave) };
  }

  async *#read(
    inbox: Inbox<StreamItem>,
    leave: () => void,
    onStart: () => void,
  ): AsyncGenerator<StreamItem, void> {
    onStart();
    try {
      for (let item = await inbox.take(); item; item = await inbox.take()) yield item;
    } finally {
      leave();
      await inbox.drain(); // the session is free again when the loop has been left
    }
  }

  wireSource(source: ModelSource): WireSource {
    if (typeof source === 'string') return { kind: 'url', url: absoluteUrl(source) };
    if ('open' in source) {
      const folder = this.#shared.size;
      this.#shared.set(folder, source);
      return { kind: 'proxy', folder, label: source.label, entry: source.entry };
    }
    return { kind: 'files', files: [...source] };
  }

  /** Answers in the order of the requests. */
  #answer(request: FileRequest): void {
    const post = (answer: FileAnswer, transfer: Transferable[] = []) =>
      this.#port.postMessage(answer, transfer);
    this.#folders ??= import('./client-files.ts').then(
      ({ SharedFolders }) => new SharedFolders(post, this.#shared),
    );
    this.#folders.then(
      (folders) => folders.receive(request),
      (error: unknown) => {
        this.#folders = undefined; // the next one tries again
        if ('read' in request)
          post({ kind: 'file-failed', read: request.read, error: encodeError(typedError(error)) });
      },
    );
  }

  fail(error: AtomoeError): void {
    if (this.#ended) return;
    this.#ended = error;
    this.autoMemory?.settle();
    this.#rejectLost(error);
    this.#settleAll(error);
    this.#closeOnce();
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.autoMemory?.settle();
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
    this.memory = NO_MEMORY;
  }

  #settleAll(error: AtomoeError): void {
    this.#forgetModel();
    for (const call of this.#calls.values()) call.reject(error);
    for (const id of this.#streams.keys()) this.#endStream(id, { kind: 'failed', error });
    this.#folders?.then(
      (folders) => folders.dispose(),
      () => {},
    );
  }

  #receive(message: ToClient | undefined): void {
    if (typeof message !== 'object' || message === null) return; // not from a host
    switch (message.kind) {
      case 'result':
        return this.#calls.get(message.id)?.resolve(message.result);
      case 'progress':
        return this.#report(message);
      case 'started':
        return this.#streams.get(message.id)?.inbox.start();
      case 'events': {
        this.memory = message.memory;
        const stream = this.#streams.get(message.id);
        if (!message.items.every(isBefore)) this.autoMemory?.settle();
        stream?.onTokens(message.tokens);
        return stream?.inbox.push(message.items);
      }
      case 'ended':
        this.#streams.get(message.id)?.onTokens(message.tokens);
        return this.#endStream(message.id, { kind: 'ended' });
      case 'failed':
        return this.#failOne(message);
      case 'lost': {
        const error = decodeError(message.error);
        return this.fail(error instanceof AtomoeError ? error : lostError('its engine failed', error));
      }
      case 'disposed':
        return this.#closeOnce();
      default:
        // Others are for who started the worker, or the page's own.
        if (String(message.kind).startsWith('file-')) return this.#answer(message satisfies FileRequest);
    }
  }

  #failOne(message: ToClient & { kind: 'failed' }): void {
    if (!message.isLoaded) this.#forgetModel();
    const call = this.#calls.get(message.id);
    call?.reject(decodeError(message.error, call.signal));
    const error = decodeError(message.error, this.#streams.get(message.id)?.signal);
    this.#endStream(message.id, { kind: 'failed', error });
  }

  #endStream(id: number, ending: Ending): void {
    const stream = this.#streams.get(id);
    this.#streams.delete(id);
    stream?.onEnd();
    stream?.inbox.end(ending);
  }

  /** What a caller's function throws here ends the caller's call. */
  #report({ id, progress }: ToClient & { kind: 'progress' }): void {
    const call = this.#calls.get(id);
    try {
      call?.onProgress?.(progress);
    } catch (error) {
      call?.reject(error);
      this.post({ kind: 'abort', id });
    }
  }
}

type WithoutCredits<T> = T extends unknown ? Omit<T, 'credits'> : never;

interface Stream {
  readonly started: Promise<void>;
  readonly items: ReplyStream<StreamItem>;
}

/** How long a worker has to dispose of its engine before it is ended. */
const GOODBYE_MS = 1000;

/** The error for a worker that is gone. */
export function lostError(how: string, cause?: unknown): AtomoeError {
  const message = `The engine's worker is gone: ${how}; a running worker is needed. Create the engine again to go on.`;
  return new AtomoeError('device-lost', message, cause === undefined ? {} : { cause });
}

/** A relative address means the page's, not the worker script's. A page made of a blob has only its maker's origin. */
function absoluteUrl(url: string): string {
  const { document, location } = globalThis as { document?: Document; location?: Location };
  const bases = [document?.baseURI, location?.href, location?.origin];
  const base = bases.find((each) => each !== undefined && URL.canParse('x', each));
  return base === undefined || !URL.canParse(url, base) ? url : new URL(url, base).href;
}
