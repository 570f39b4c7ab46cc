/** The behaviour of a chat without a DOM: an engine below, one frozen state above, and the actions between them. */
import type {
  Engine,
  GenerateEvent,
  GenerateOptions,
  LoadOptions,
  ModelInfo,
  ModelPlan,
  ModelSource,
  Prompt,
  Session,
} from '../engine/api.ts';
import type { ContextRule } from './context-rule.ts';
import { EMPTY_CONVERSATION, withChosen, type Conversation, type Turn } from './conversation.ts';
import {
  assertText,
  canContinue,
  INITIAL_STATE,
  LOADING,
  figuresOf,
  phaseOnly,
  problemOf,
  reportOf,
  type ChatPhase,
  type ChatState,
} from './state.ts';
import { PromptWindow, type Given } from './prompt-window.ts';
import { Talk, type DoneEvent } from './talk.ts';

/** How a chat store opens engines. */
export interface ChatStoreOptions {
  /** Opens an engine when one is first needed, and again after a lost device. */
  readonly openEngine: () => Promise<Engine>;
  /** Milliseconds from any origin; tests bring their own clock. */
  readonly now?: () => number;
}

/** A reply that is wanted: to a message, or the rest of one. */
interface Wanted {
  readonly to: number; // the id of the message
  readonly continued?: number; // the id of a reply that goes on
  readonly options: GenerateOptions;
}

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
  #loadOptions: LoadOptions = {};
  #task: AbortController | undefined; // the plan, load or reply in progress
  #unsaid: Wanted | undefined; // what a retry asks for again
  #isPlan = false; // what was begun last with a model: no bytes of it were asked for
  readonly #talk = new Talk();
  #askedAtMs = 0; // when the reply in progress was asked for
  #firstTokenMs: number | undefined; // from then to its first token
  readonly #window = new PromptWindow();
  #plan: ModelPlan | undefined;
  #settled: Promise<void> = Promise.resolve(); // when the task before has let go of the engine

  constructor(options: ChatStoreOptions) {
    this.#openEngine = options.openEngine;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Given to models with a chat template before the conversation; empty: nothing is. */
  get systemPrompt(): string {
    return this.#window.systemPrompt;
  }

  set systemPrompt(text: string) {
    this.#window.systemPrompt = text;
  }

  /** What is left out of a conversation that is longer than the context. */
  get contextRule(): ContextRule {
    return this.#window.rule;
  }

  set contextRule(rule: ContextRule) {
    this.#window.rule = rule;
  }

  /** All that was said, with the versions that are not shown. */
  get conversation(): Conversation {
    return this.#talk.conversation;
  }

  getState(): ChatState {
    return this.#state;
  }

  /** Whether the engine holds a model: the one of the state, or one that was loaded before another was chosen. */
  get holdsModel(): boolean {
    return this.#loaded !== undefined;
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
    this.#isPlan = true;
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
    assertText(text, 'send');
    return this.#say(text, this.#talk.shown.at(-1)?.id, options);
  }

  /**
   * Says a message in other words: another version of it, with a reply of its own.
   *
   * @returns false when nothing was said, as `send`, or there is no such message of the user
   * @throws {AtomoeError} bad-input - not text
   */
  async edit(id: number, text: string, options: GenerateOptions = {}): Promise<boolean> {
    assertText(text, 'edit');
    const turn = this.#talk.turn(id);
    if (turn?.role !== 'user') return false;
    return this.#say(text, turn.parent, options);
  }

  /**
   * Asks for another version of a reply, or for a reply to a message of the user.
   *
   * @returns false when nothing was asked for, as `send`
   */
  async regenerate(id: number, options: GenerateOptions = {}): Promise<boolean> {
    const turn = this.#talk.turn(id);
    const to = turn?.role === 'assistant' ? turn.parent : turn?.id;
    if (to === undefined || !this.#isFree()) return false;
    await this.#reply({ to, options });
    return true;
  }

  /**
   * Goes on with the last reply, which was stopped or took all the tokens that it might.
   *
   * @returns false when nothing was asked for, as `send`
   */
  async continueReply(id: number, options: GenerateOptions = {}): Promise<boolean> {
    const turn = this.#talk.turn(id);
    if (turn?.parent === undefined || !this.#isFree() || !canContinue(this.#state, id)) return false;
    await this.#reply({ to: turn.parent, continued: id, options });
    return true;
  }

  /** Shows another version of a message, and what followed it. @returns false while a reply is coming */
  choose(id: number): boolean {
    return this.#rearrange(() => (this.#talk.conversation = withChosen(this.#talk.conversation, id)));
  }

  /** Deletes a message and all that followed it. @returns false while a reply is coming */
  delete(id: number): boolean {
    return this.#rearrange(() => this.#talk.remove(id));
  }

  /** Shows another conversation. @returns false while a reply is coming */
  replace(conversation: Conversation): boolean {
    return this.#rearrange(() => this.#talk.replace(conversation));
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
    if (!unsaid)
      return this.#isPlan && this.#source ? this.plan(this.#source, this.#loadOptions) : this.load();
    const failed = this.#talk.shown.filter(({ status }) => status === 'failed');
    for (const { id } of failed) if (id !== unsaid.continued) this.#talk.remove(id);
    this.#set({ kind: 'ready' });
    await this.#reply(unsaid);
  }

  /** The network is back: plans or loads again what failed without it. Replies are asked for by somebody. */
  async reconnect(): Promise<void> {
    const state = this.#state;
    if (state.kind !== 'failed' || state.problem.code !== 'network') return;
    if (!this.#unsaid || !state.model) await this.retry();
  }

  /** Forgets everything said. */
  clear(): void {
    this.#begin();
    this.#unsaid = undefined;
    void this.#settled.then(() => this.#session?.reset());
    this.#talk.replace(EMPTY_CONVERSATION);
    this.#window.leftOut = [];
    this.#set({ kind: this.#state.model ? 'ready' : 'idle' }, { report: undefined });
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

  async #say(text: string, parent: number | undefined, options: GenerateOptions): Promise<boolean> {
    if (text.trim() === '' || !this.#isFree()) return false;
    await this.#reply({ to: this.#talk.say({ role: 'user', text, status: 'complete', parent }), options });
    return true;
  }

  #isFree(): boolean {
    const { kind, model } = this.#state;
    return kind !== 'replying' && kind !== 'loading' && Boolean(model ?? this.#source);
  }

  #rearrange(change: () => void): boolean {
    const { kind } = this.#state;
    if (kind === 'replying' || kind === 'loading') return false;
    change();
    if (kind === 'failed' && this.#unsaid) {
      this.#unsaid = undefined; // it may be gone
      this.#set({ kind: this.#state.model ? 'ready' : 'idle' });
    } else this.#set(this.#state);
    return true;
  }

  async #reply(wanted: Wanted): Promise<void> {
    const task = this.#begin();
    this.#unsaid = wanted;
    this.#askedAtMs = this.#now();
    this.#firstTokenMs = undefined;
    const source = this.#state.model && this.#source === this.#loaded?.source ? undefined : this.#source; // defined: to load
    // Said at once and not when the engine is free: from here on the chat is busy.
    if (source === undefined) this.#beginReply(wanted);
    else this.#set(LOADING);
    await this.#attempt(task, 'send', async (signal) => {
      if (source !== undefined) {
        await this.#load(source, this.#loadOptions, signal);
        this.#beginReply(wanted);
      }
      this.#session ??= (await this.#opened()).session();
      await this.#generate(this.#session, wanted, signal);
    });
  }

  async #generate(session: Session, wanted: Wanted, signal: AbortSignal): Promise<void> {
    const id = this.#talk.current?.id;
    const { model } = this.#state;
    if (model)
      await this.#window.fit(this.#given(wanted), model, await this.#opened(), wanted.options.maxTokens);
    signal.throwIfAborted();
    this.#set(this.#state); // what is left out is shown
    const options = { ...wanted.options, continueFinalMessage: wanted.continued !== undefined, signal };
    for await (const event of session.generate(this.#prompt(wanted), options)) {
      for (const tap of this.#taps) tap(event);
      if (!signal.aborted) this.#hear(event);
      else if (event.kind === 'done' && !this.#task) this.#hearLate(event, id);
    }
  }

  #beginReply({ to, continued }: Wanted): void {
    this.#talk.begin(to, continued);
    this.#set({ kind: 'replying', prefill: { doneTokens: 0, totalTokens: 0 } });
  }

  /** The figures of a reply that was stopped come after its end. */
  #hearLate(done: DoneEvent, id: number | undefined): void {
    if (id !== undefined) this.#talk.change(id, { figures: figuresOf(done, this.#firstTokenMs) });
    this.#set(this.#state, { report: reportOf(done) });
  }

  /** What a reply is given: the turns that are shown, up to the message. */
  #given({ to, continued, options }: Wanted): Given {
    const { shown } = this.#talk;
    const turns = shown.slice(0, shown.findIndex(({ id }) => id === to) + 1);
    return { turns, tools: options.tools, begun: this.#talk.turn(continued)?.text };
  }

  #hear(event: GenerateEvent): void {
    switch (event.kind) {
      case 'prefill': {
        const { doneTokens, totalTokens } = event;
        return this.#set({ kind: 'replying', prefill: { doneTokens, totalTokens } });
      }
      case 'library': // shown as the prompt is: nothing is said yet
        return undefined;
      case 'token':
        this.#firstTokenMs ??= this.#now() - this.#askedAtMs;
        this.#talk.grow(event);
        return this.#set({ kind: 'replying', prefill: undefined });
      case 'done':
        this.#unsaid = undefined;
        return this.#endReply(event.reason === 'abort' ? 'stopped' : 'complete', { kind: 'ready' }, event);
    }
  }

  async #load(source: ModelSource, options: LoadOptions, signal: AbortSignal): Promise<void> {
    this.#session?.dispose();
    this.#session = undefined;
    this.#loaded = undefined;
    this.#set(LOADING, { model: undefined, report: undefined });
    const [engine, { LoadMeter }] = await Promise.all([
      this.#opened(),
      import('../engine/load/load-meter.ts'),
    ]);
    signal.throwIfAborted();
    const meter = new LoadMeter(this.#now, (load, progress) => {
      if (!signal.aborted) this.#set({ kind: 'loading', progress, load });
    });
    const onProgress: LoadOptions['onProgress'] = (progress) => {
      options.onProgress?.(progress);
      meter.hear(progress);
    };
    const model = await engine.load(source, { ...options, signal, onProgress }).finally(() => meter.end());
    signal.throwIfAborted();
    this.#loaded = { source, model };
    this.#set({ kind: 'ready' }, { model });
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
    this.#isPlan = false;
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
  #prompt(wanted: Wanted): Prompt {
    if (!this.#state.model?.hasChatTemplate) {
      const continued = this.#talk.turn(wanted.continued)?.text ?? '';
      return (this.#talk.turn(wanted.to)?.text ?? '') + continued;
    }
    return this.#window.messages(this.#given(wanted));
  }

  #endReply(status: Turn['status'], phase: ChatPhase, done?: DoneEvent): void {
    this.#talk.end(status, done, done && figuresOf(done, this.#firstTokenMs));
    this.#set(phase, done ? { report: reportOf(done) } : {});
  }

  #set(phase: ChatPhase, changes: Partial<Pick<ChatState, 'model' | 'report'>> = {}): void {
    const { model, report } = { ...this.#state, ...changes };
    const { leftOut } = this.#window;
    const messages = this.#talk.shown;
    const usedTokens = messages.findLast(({ figures }) => figures)?.figures?.contextTokens ?? 0;
    const totalTokens = model?.plan.contextTokens ?? Infinity; // another server's: nobody knows
    const context = Number.isFinite(totalTokens) ? Object.freeze({ usedTokens, totalTokens }) : undefined;
    this.#state = Object.freeze({ ...phaseOnly(phase), messages, model, report, context, leftOut });
    for (const listener of this.#listeners) listener(this.#state);
  }
}
