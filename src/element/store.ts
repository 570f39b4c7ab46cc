/** The behaviour of a chat without a DOM: an engine below, one frozen state above, and the actions between them. */
import type {
  ChatMessage,
  Engine,
  GenerateEvent,
  GenerateOptions,
  LoadOptions,
  LoadProgress,
  ModelInfo,
  ModelPlan,
  ModelSource,
  Prompt,
  Session,
} from '../engine/api.ts';
import { AtomoeError } from '../errors.ts';
import { ByteRate } from './byte-rate.ts';
import { INITIAL_STATE, problemOf, reportOf, type ChatPhase, type ChatState, type Message } from './state.ts';

/** How a chat store opens engines. */
export interface ChatStoreOptions {
  /** Opens an engine when one is first needed, and again after a lost device. */
  readonly openEngine: () => Promise<Engine>;
  /** Milliseconds from any origin; tests bring their own clock. */
  readonly now?: () => number;
}

/** A download that brings nothing for so long is said to wait. */
const SILENCE_MS = 2000;

/** A load that has only begun. */
const LOADING: ChatPhase = { kind: 'loading', progress: { kind: 'planning' }, bytesPerSecond: undefined };

type TokenEvent = Extract<GenerateEvent, { kind: 'token' }>;
type DoneEvent = Extract<GenerateEvent, { kind: 'done' }>;

/** Ends a subscription. */
export type Unsubscribe = () => void;

/**
 * A chat with one model.
 *
 * @example
 * const store = new ChatStore({ openEngine: () => createWorkerEngine() });
 * store.subscribe((state) => draw(state));
 * await store.load('models/fable-omni-8m/');
 * await store.send('Once upon a time');
 */
export class ChatStore {
  readonly #openEngine: () => Promise<Engine>;
  readonly #now: () => number;
  readonly #listeners = new Set<(state: ChatState) => void>();
  readonly #taps = new Set<(event: GenerateEvent) => void>();
  #state: ChatState = INITIAL_STATE;
  #engine: Promise<Engine> | undefined;
  #ownsEngine = true;
  #session: Session | undefined;
  #source: ModelSource | undefined;
  #loaded: { readonly source: ModelSource; readonly model: ModelInfo } | undefined; // what the engine holds
  #silence: ReturnType<typeof setTimeout> | undefined; // until a download counts as waiting
  #loadOptions: LoadOptions = {};
  #task: AbortController | undefined; // the plan, load or reply in progress
  #unsaid: { text: string; options: GenerateOptions } | undefined; // what a retry says again
  #plan: ModelPlan | undefined;
  #settled: Promise<void> = Promise.resolve(); // when the task before has let go of the engine
  #nextMessage = 0;

  constructor(options: ChatStoreOptions) {
    this.#openEngine = options.openEngine;
    this.#now = options.now ?? (() => performance.now());
  }

  getState(): ChatState {
    return this.#state;
  }

  subscribe(listener: (state: ChatState) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Hears every event of every reply, with routes and timings. */
  tap(listener: (event: GenerateEvent) => void): Unsubscribe {
    this.#taps.add(listener);
    return () => this.#taps.delete(listener);
  }

  /** Uses an engine that somebody else opened and will dispose of. */
  adopt(engine: Engine): void {
    this.#begin();
    this.#dropEngine();
    this.#source = undefined;
    this.#ownsEngine = false;
    this.#engine = Promise.resolve(engine);
    this.#watch(engine);
    this.#set({ kind: engine.model ? 'ready' : 'idle' }, { model: engine.model });
  }

  /** Reads headers only and says what loading would take. Settles when the state says the rest. */
  async plan(source: ModelSource, options: LoadOptions = {}): Promise<void> {
    const task = this.#begin();
    const shown = this.#take(source, options);
    this.#set({ kind: 'planning', plan: undefined }, shown);
    await this.#attempt(task, 'load', async (signal) => {
      const engine = await this.#opened();
      const plan = await engine.plan(source, { ...options, signal });
      signal.throwIfAborted();
      this.#plan = plan;
      this.#set({ kind: 'planning', plan });
    });
  }

  /** Loads a model, by default the one that was planned last. */
  async load(source = this.#source, options = this.#loadOptions): Promise<void> {
    if (source === undefined) return;
    const task = this.#begin();
    // Said at once and not when the engine is free: a message sent now would end the load.
    this.#set(LOADING, this.#take(source, options));
    await this.#attempt(task, 'load', (signal) => this.#load(source, options, signal));
  }

  /**
   * Says something and streams the reply into the state; loads the model first when that is still to do.
   *
   * @returns false when nothing was said: there is no text, no model, or a reply or a load is in progress
   * @throws {AtomoeError} bad-input - not text; whatever else goes wrong becomes state
   */
  async send(text: string, options: GenerateOptions = {}): Promise<boolean> {
    const { kind } = this.#state;
    if (typeof text !== 'string') {
      throw new AtomoeError('bad-input', `send was given ${typeof text}; wanted text; give what to say`);
    }
    if (text.trim() === '' || kind === 'replying' || kind === 'loading') return false;
    if (!this.#state.model && this.#source === undefined) return false;
    this.#say('user', text, 'complete');
    await this.#reply(text, options);
    return true;
  }

  /** Stops the work in progress; the text so far stays. */
  stop(): void {
    const { kind } = this.#state;
    const task = this.#task;
    this.#task = undefined;
    task?.abort();
    this.#unsaid = undefined;
    if (kind === 'planning') this.#set({ kind: this.#state.model ? 'ready' : 'idle' });
    if (kind === 'replying') this.#endReply('stopped', { kind: 'stopped' });
    if (kind === 'loading')
      this.#set(this.#plan ? { kind: 'planning', plan: this.#plan } : { kind: 'stopped' });
  }

  /** Does again what failed. */
  async retry(): Promise<void> {
    if (this.#state.kind !== 'failed') return;
    const unsaid = this.#unsaid;
    if (!unsaid) return this.load();
    this.#set(
      { kind: 'ready' },
      { messages: this.#state.messages.filter((each) => each.status !== 'failed') },
    );
    await this.#reply(unsaid.text, unsaid.options);
  }

  /** Forgets everything said. */
  clear(): void {
    this.#begin();
    this.#unsaid = undefined;
    void this.#settled.then(() => this.#session?.reset());
    this.#set({ kind: this.#state.model ? 'ready' : 'idle' }, { messages: [], report: undefined });
  }

  /** Stops, and lets go of the engine; what was said stays, and the next task opens another engine. */
  release(): void {
    this.stop();
    this.#begin().abort();
    this.#dropEngine();
    this.#set({ kind: 'idle' }, { model: undefined });
  }

  dispose(): void {
    this.release();
    this.#listeners.clear();
    this.#taps.clear();
  }

  async #reply(text: string, options: GenerateOptions): Promise<void> {
    const task = this.#begin();
    this.#unsaid = { text, options };
    const source = this.#state.model && this.#source === this.#loaded?.source ? undefined : this.#source; // defined: to load
    // Said at once and not when the engine is free: from here on the chat is busy.
    if (source === undefined) this.#beginReply();
    else this.#set(LOADING);
    await this.#attempt(task, 'send', async (signal) => {
      if (source !== undefined) {
        await this.#load(source, this.#loadOptions, signal);
        this.#beginReply();
      }
      const engine = await this.#opened();
      this.#session ??= engine.session();
      for await (const event of this.#session.generate(this.#prompt(text), { ...options, signal })) {
        for (const tap of this.#taps) tap(event);
        if (!signal.aborted) this.#hear(event);
        else if (event.kind === 'done' && !this.#task) this.#set(this.#state, { report: reportOf(event) });
      }
    });
  }

  #beginReply(): void {
    this.#say('assistant', '', 'streaming');
    this.#set({ kind: 'replying', prefill: { doneTokens: 0, totalTokens: 0 } });
  }

  #hear(event: GenerateEvent): void {
    switch (event.kind) {
      case 'prefill': {
        const { doneTokens, totalTokens } = event;
        return this.#set({ kind: 'replying', prefill: { doneTokens, totalTokens } });
      }
      case 'token':
        return this.#set({ kind: 'replying', prefill: undefined }, { messages: this.#grown(event) });
      case 'done':
        this.#unsaid = undefined;
        return this.#endReply(event.reason === 'abort' ? 'stopped' : 'complete', { kind: 'ready' }, event);
    }
  }

  async #load(source: ModelSource, options: LoadOptions, signal: AbortSignal): Promise<void> {
    this.#session?.dispose();
    this.#session = undefined;
    this.#loaded = undefined;
    const show = this.#progressView(signal);
    this.#set(LOADING, { model: undefined, report: undefined });
    const engine = await this.#opened();
    signal.throwIfAborted();
    const onProgress = (progress: LoadProgress): void => {
      options.onProgress?.(progress);
      show(progress);
    };
    const model = await engine
      .load(source, { ...options, signal, onProgress })
      .finally(() => clearTimeout(this.#silence));
    signal.throwIfAborted();
    this.#loaded = { source, model };
    this.#set({ kind: 'ready' }, { model });
  }

  /** Adds the rate of the last seconds, and says when nothing comes any more. */
  #progressView(signal: AbortSignal): (progress: LoadProgress) => void {
    const rate = new ByteRate(this.#now);
    return (progress) => {
      clearTimeout(this.#silence);
      if (signal.aborted) return;
      const isDownload = progress.kind === 'downloading';
      const bytesPerSecond = isDownload ? rate.hear(progress.doneBytes) : undefined;
      this.#set({ kind: 'loading', progress, bytesPerSecond });
      if (!isDownload) return;
      this.#silence = setTimeout(() => {
        if (!signal.aborted && this.#state.kind === 'loading')
          this.#set({ kind: 'loading', progress, bytesPerSecond: 0 });
      }, SILENCE_MS);
    };
  }

  /** Runs one task; a failure becomes state, an abort leaves the state to its caller. */
  async #attempt(
    task: AbortController,
    retry: 'load' | 'send',
    run: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const before = this.#settled;
    const attempt = async (): Promise<void> => {
      await before; // an engine does one thing at a time, and an abort takes it a moment
      try {
        if (!task.signal.aborted) await run(task.signal);
      } catch (error) {
        if (!task.signal.aborted) this.#fail(error, retry);
      } finally {
        if (this.#task === task) this.#task = undefined;
      }
    };
    this.#settled = attempt();
    await this.#settled;
  }

  /** @returns what is shown from here on: figures of another model go */
  #take(source: ModelSource, options: LoadOptions): Partial<Pick<ChatState, 'model' | 'report'>> {
    const isOther = source !== this.#source;
    if (isOther) this.#plan = undefined;
    this.#source = source;
    this.#loadOptions = options;
    this.#unsaid = undefined;
    if (!isOther) return {};
    const model = source === this.#loaded?.source ? this.#loaded.model : undefined;
    return { model, report: undefined };
  }

  #fail(error: unknown, retry: 'load' | 'send'): void {
    const problem = problemOf(error);
    if (problem.code === 'device-lost' || problem.code === 'disposed') {
      this.#dropEngine();
      this.#set(this.#state, { model: undefined });
    }
    this.#endReply('failed', { kind: 'failed', problem, retry });
  }

  /** Aborts what is in progress and makes room for the next task. */
  #begin(): AbortController {
    this.#task?.abort();
    if (this.#state.kind === 'replying') this.#endReply('stopped', { kind: 'stopped' });
    this.#task = new AbortController();
    return this.#task;
  }

  #opened(): Promise<Engine> {
    if (!this.#engine) {
      this.#ownsEngine = true;
      this.#engine = this.#openEngine();
      this.#engine.then(
        (engine) => this.#watch(engine),
        () => (this.#engine = undefined), // the next attempt opens again
      );
    }
    return this.#engine;
  }

  #watch(engine: Engine): void {
    const opened = this.#engine;
    engine.lost.catch((error: unknown) => {
      if (this.#engine !== opened) return; // already replaced
      this.#task?.abort();
      this.#fail(error, this.#unsaid ? 'send' : 'load');
    });
  }

  #dropEngine(): void {
    const engine = this.#engine;
    this.#engine = undefined;
    this.#session = undefined;
    this.#loaded = undefined;
    if (this.#ownsEngine) engine?.then((opened) => opened.dispose()).catch(() => {});
  }

  /** Messages for a model with a template, plain text to continue for one without. */
  #prompt(text: string): Prompt {
    if (!this.#state.model?.hasChatTemplate) return text;
    return this.#state.messages
      .filter((each) => each.status === 'complete' || each.status === 'stopped')
      .map(({ role, text: content, thoughts }): ChatMessage => {
        return { role, content, ...(thoughts === '' ? {} : { reasoning_content: thoughts }) };
      });
  }

  #say(role: Message['role'], text: string, status: Message['status']): void {
    const message: Message = Object.freeze({ id: this.#nextMessage++, role, text, thoughts: '', status });
    this.#set(this.#state, { messages: [...this.#state.messages, message] });
  }

  #grown({ text, reasoning = '' }: TokenEvent): readonly Message[] {
    return this.#state.messages.map((each) =>
      each.status === 'streaming'
        ? Object.freeze({ ...each, text: each.text + text, thoughts: each.thoughts + reasoning })
        : each,
    );
  }

  /** @param done - has what was held back to the end, too */
  #endReply(status: Message['status'], phase: ChatPhase, done?: DoneEvent): void {
    const said = done ? { text: done.text, thoughts: done.reasoning ?? '' } : {};
    const messages = this.#state.messages
      .map((each) => (each.status === 'streaming' ? Object.freeze({ ...each, ...said, status }) : each))
      .filter(
        (each) => each.role === 'user' || each.text + each.thoughts !== '' || each.status === 'complete',
      );
    this.#set(phase, { messages, ...(done ? { report: reportOf(done) } : {}) });
  }

  #set(phase: ChatPhase, changes: Partial<Pick<ChatState, 'messages' | 'model' | 'report'>> = {}): void {
    const { messages, model, report } = { ...this.#state, ...changes };
    const common = { messages: Object.freeze([...messages]), model, report };
    this.#state = Object.freeze({ ...phaseOnly(phase), ...common });
    for (const listener of this.#listeners) listener(this.#state);
  }
}

/** A whole state may be passed where a phase is wanted; only its phase is kept. */
function phaseOnly(phase: ChatPhase): ChatPhase {
  switch (phase.kind) {
    case 'planning':
      return { kind: phase.kind, plan: phase.plan };
    case 'loading':
      return { kind: phase.kind, progress: phase.progress, bytesPerSecond: phase.bytesPerSecond };
    case 'replying':
      return { kind: phase.kind, prefill: phase.prefill };
    case 'failed':
      return { kind: phase.kind, problem: phase.problem, retry: phase.retry };
    case 'idle':
    case 'ready':
    case 'stopped':
      return { kind: phase.kind };
  }
}
