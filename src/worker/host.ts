/**
 * The worker's side: serves one engine over a port. It takes a factory, so tests hand it a fake engine and a
 * `MessageChannel`, and `worker.ts` the real one and `self`.
 */
import type { Engine, LoadProgress, ModelSource, Session } from '../engine/api.ts';
import type { KernelSource } from '../simd/modules.ts';
import { AtomoeError } from '../errors.ts';
import { RemoteFiles } from './host-files.ts';
import { Batch, CreditWindow } from './host-stream.ts';
import {
  encodeError,
  type CallRequest,
  type CallResult,
  type OpenOptions,
  type PortLike,
  type SessionCall,
  type StreamItem,
  type StreamRequest,
  type TextCall,
  type ToClient,
  type ToHost,
  type WireSource,
} from './protocol.ts';

/** A call in flight. */
interface Call {
  readonly abort: AbortController;
  readonly window: CreditWindow; // unused by calls that are answered once
  hasLeft: boolean; // no one reads the stream any more
}

/** Opening may fail; the first reply is where that can be said. */
type OpenedSession = { readonly session: Session } | { readonly refusal: unknown };

/** `closed` settles when a disposed engine has written to the disk what it read. */
type HostedEngine = Engine & { readonly closed?: Promise<void> };

/** Opens an engine in the worker. */
type OpenEngine = (options: OpenOptions & { readonly kernels: KernelSource }) => Promise<HostedEngine>;

type WithId<T> = T & { readonly id: number };

/** Serves the engine that `openEngine` makes to the other end of `port`. */
export function hostEngine(port: PortLike, openEngine: OpenEngine, onDispose: () => void = () => {}): void {
  const host = new EngineHost((message) => port.postMessage(message), openEngine, onDispose);
  port.addEventListener('message', (event) => host.receive(event.data as ToHost));
  port.start?.();
}

/** What the page has to know of a model that was loaded or resized. */
function modelResult(engine: Engine): CallResult {
  const { model } = engine;
  if (!model)
    throw new AtomoeError('bad-input', 'no model is loaded; wanted one; await engine.load(model) first');
  return { kind: 'loaded', model, memory: engine.memory() };
}

class EngineHost {
  readonly #post: (message: ToClient) => void;
  readonly #openEngine: OpenEngine;
  readonly #onDispose: () => void;
  readonly #calls = new Map<number, Call>();
  readonly #sessions = new Map<number, OpenedSession>();
  readonly #files: RemoteFiles;
  #engine: HostedEngine | undefined;
  #isDisposed = false;

  constructor(post: (message: ToClient) => void, openEngine: OpenEngine, onDispose: () => void) {
    this.#post = post;
    this.#openEngine = openEngine;
    this.#onDispose = onDispose;
    this.#files = new RemoteFiles(post);
  }

  receive(message: ToHost): void {
    switch (message.kind) {
      case 'open':
      case 'plan':
      case 'load':
      case 'resize':
      case 'streaming':
      case 'logits':
      case 'profile':
      case 'complete':
      case 'text':
      case 'held':
        return void this.#answer(message);
      case 'generate':
      case 'complete-stream':
        return void this.#stream(message);
      case 'abort':
        return this.#abort(message.id, false);
      case 'leave':
        return this.#abort(message.id, true);
      case 'credit':
        return this.#calls.get(message.id)?.window.add(message.count);
      case 'session':
        return this.#openSession(message.session);
      case 'session-reset':
        return this.#reset(message.session);
      case 'session-dispose':
        this.#session(message.session)?.dispose();
        return void this.#sessions.delete(message.session);
      case 'dispose':
        return void this.#dispose();
      case 'file-opened':
      case 'file-bytes':
      case 'file-failed':
        return this.#files.receive(message);
    }
    message satisfies never;
  }

  async #answer(request: WithId<CallRequest>): Promise<void> {
    const { id } = request;
    const call = this.#begin(id, 0);
    const progress = new Batch<LoadProgress>((items) => {
      const last = items.at(-1);
      if (last) this.#post({ kind: 'progress', id, progress: last });
    });
    try {
      const result = await this.#perform(request, call.abort.signal, progress);
      progress.flush();
      this.#post({ kind: 'result', id, result });
    } catch (error) {
      progress.flush();
      this.#fail(id, error, call.abort.signal);
    } finally {
      this.#calls.delete(id);
    }
  }

  async #perform(
    request: CallRequest,
    signal: AbortSignal,
    progress: Batch<LoadProgress>,
  ): Promise<CallResult> {
    if (request.kind === 'open') return this.#open(request.options);
    const engine = this.#opened();
    switch (request.kind) {
      case 'plan': {
        const plan = await engine.plan(this.#source(request.source), { ...request.options, signal });
        return { kind: 'planned', plan };
      }
      case 'load': {
        const options = { ...request.options, signal, onProgress: reporter(progress) };
        await engine.load(this.#source(request.source), options);
        return modelResult(engine);
      }
      case 'resize':
        await engine.resize(request.change);
        return modelResult(engine);
      case 'streaming':
        return { kind: 'streaming', report: await engine.streaming(), memory: engine.memory() };
      case 'logits':
        return { kind: 'logits', logits: await engine.logits(request.ids, request.mode) };
      case 'profile':
        return { kind: 'profile', dispatches: await engine.profile() };
      case 'complete': {
        const completion = await engine.chat.completions.create({
          ...request.request,
          stream: false,
          signal,
        });
        return { kind: 'completed', completion };
      }
      case 'text':
        return { kind: 'asked', value: await askText(engine, request.ask, signal) };
      case 'held': {
        const session = this.#openedSession(request.session);
        const value = await this.#askSession(session, request.ask, signal);
        return { kind: 'asked', value, tokens: session.tokens };
      }
    }
  }

  async #open(options: OpenOptions): Promise<CallResult> {
    const kernels: KernelSource = (name) => this.#files.kernels(name);
    const engine = await this.#openEngine({ ...options, kernels });
    if (this.#isDisposed) {
      engine.dispose();
      throw new AtomoeError('disposed', 'The engine was disposed while it opened; create another one.');
    }
    this.#engine = engine;
    engine.lost.catch((error: unknown) => {
      if (!this.#isDisposed) this.#post({ kind: 'lost', error: encodeError(error) });
    });
    return { kind: 'opened', adapter: engine.adapter };
  }

  async #stream(request: WithId<StreamRequest>): Promise<void> {
    const { id } = request;
    const call = this.#begin(id, request.credits);
    const tokens = (): number =>
      request.kind === 'generate' ? (this.#session(request.session)?.tokens ?? 0) : 0;
    const batch = new Batch<StreamItem>((items) => {
      const engine = this.#engine;
      if (engine?.model && !this.#isDisposed)
        this.#post({ kind: 'events', id, items, tokens: tokens(), memory: engine.memory() });
    });
    try {
      const iterator = (await this.#begun(request, call.abort.signal))[Symbol.asyncIterator]();
      this.#post({ kind: 'started', id });
      await pump(iterator, call, batch);
      batch.flush();
      this.#post({ kind: 'ended', id, tokens: tokens() });
    } catch (error) {
      batch.flush();
      this.#fail(id, error, call.abort.signal);
    } finally {
      this.#calls.delete(id);
    }
  }

  async #begun(request: StreamRequest, signal: AbortSignal): Promise<AsyncIterable<StreamItem>> {
    const engine = this.#opened();
    if (request.kind === 'complete-stream') {
      return engine.chat.completions.create({ ...request.request, stream: true, signal });
    }
    const session = this.#openedSession(request.session);
    return session.generate(request.prompt, { ...request.options, signal });
  }

  #openedSession(id: number): Session {
    const opened = this.#sessions.get(id);
    if (!opened) throw new AtomoeError('disposed', 'The session was disposed; open another one.');
    if ('refusal' in opened) throw opened.refusal;
    return opened.session;
  }

  async #askSession(session: Session, { name, given, as = -1 }: SessionCall, signal: AbortSignal) {
    const method = session[name] as (...given: unknown[]) => Promise<unknown>;
    const value = await method.call(session, ...given, { signal });
    if (name !== 'clone') return value;
    this.#sessions.set(as, { session: value as Session });
    return undefined;
  }

  #openSession(id: number): void {
    try {
      this.#sessions.set(id, { session: this.#opened().session() });
    } catch (refusal) {
      this.#sessions.set(id, { refusal });
    }
  }

  /** The page refuses what a busy session would refuse; here there is no caller to tell. */
  #reset(id: number): void {
    try {
      this.#session(id)?.reset();
    } catch {
      // busy after all: the next reply says so
    }
  }

  #session(id: number): Session | undefined {
    const opened = this.#sessions.get(id);
    return opened && 'session' in opened ? opened.session : undefined;
  }

  #fail(id: number, error: unknown, signal: AbortSignal): void {
    const isLoaded = this.#engine?.model !== undefined;
    this.#post({ kind: 'failed', id, error: encodeError(error, signal), isLoaded });
  }

  #begin(id: number, credits: number): Call {
    const call: Call = { abort: new AbortController(), window: new CreditWindow(credits), hasLeft: false };
    this.#calls.set(id, call);
    return call;
  }

  #abort(id: number, leaves: boolean): void {
    const call = this.#calls.get(id);
    if (!call) return; // it ended while the message was on its way
    call.hasLeft ||= leaves;
    call.abort.abort();
    call.window.release();
  }

  async #dispose(): Promise<void> {
    this.#isDisposed = true;
    for (const id of this.#calls.keys()) this.#abort(id, true);
    this.#engine?.dispose();
    await this.#engine?.closed?.catch(() => {}); // the page ends the worker when it hears that it is done
    this.#post({ kind: 'disposed' });
    this.#onDispose();
  }

  #opened(): Engine {
    if (this.#engine && !this.#isDisposed) return this.#engine;
    throw new AtomoeError('disposed', 'The engine in the worker is not open; create another one.');
  }

  #source(source: WireSource): ModelSource {
    switch (source.kind) {
      case 'url':
        return source.url;
      case 'files':
        return source.files;
      case 'proxy':
        return this.#files.folder(source.folder, source.label, source.entry);
    }
  }
}

function askText(engine: Engine, { name, given }: TextCall, signal: AbortSignal): Promise<unknown> {
  const method = engine[name] as (...given: unknown[]) => Promise<unknown>;
  const [first, second, options] = given;
  return method.call(engine, first, second, { ...(options as object | undefined), signal });
}

/** Moves events from the engine into the batch, one credit each, until the stream ends or its reader leaves. */
async function pump(
  iterator: AsyncIterator<StreamItem>,
  call: Call,
  batch: Batch<StreamItem>,
): Promise<void> {
  try {
    for (;;) {
      await call.window.take();
      if (call.hasLeft) return;
      const step = await iterator.next();
      if (step.done) return;
      if (!call.hasLeft) batch.push(step.value);
    }
  } catch (error) {
    if (!call.hasLeft) throw error; // an error that no one is there to read
  } finally {
    await iterator.return?.();
  }
}

/** Sends the last report of each macrotask, and each change of kind. */
function reporter(batch: Batch<LoadProgress>): (progress: LoadProgress) => void {
  let kind: LoadProgress['kind'] | undefined;
  return (progress) => {
    if (progress.kind !== kind) batch.flush();
    kind = progress.kind;
    batch.push(progress);
  };
}
