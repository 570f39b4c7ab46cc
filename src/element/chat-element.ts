/** `<atomoe-chat>`: a chat with a model, in any page. Importing this module registers nothing; `define.ts` does. */
import type { Engine, GenerateEvent, GenerateOptions, LoadOptions, LoadProgress } from '../engine/api.ts';
import { chatSheet } from './chat-style.ts';
import { ChatView } from './chat-view.ts';
import { ElementBase, isOn, oncePerFrame, reflect, upgradeProperties } from './dom.ts';
import type { ChatState, Message, Problem, ReplyReport } from './state.ts';
import { ChatStore, type Unsubscribe } from './store.ts';

/** The events of `<atomoe-chat>` by name, with their details. All bubble and cross shadow borders. */
export interface ChatElementEvents {
  'chat-send': CustomEvent<{ readonly text: string }>; // cancelable: the page may answer instead
  'chat-token': CustomEvent<GenerateEvent & { readonly kind: 'token' }>;
  'chat-done': CustomEvent<ReplyReport & { readonly text: string; readonly reasoning?: string }>;
  'chat-error': CustomEvent<Problem>;
  'chat-progress': CustomEvent<LoadProgress>;
}

/** What the attributes of an element say about its engine. */
export interface EngineChoice {
  readonly device?: 'gpu' | 'cpu';
  readonly tuning?: 'off';
}

/** Whatever `model` depends on comes before it. */
const PROPERTIES = [
  ...['generateOptions', 'loadOptions', 'engine', 'placeholder', 'disabled', 'device', 'tuning'],
  ...['autoload', 'model'],
];

/**
 * A chat with a language model that runs in the page. Each attribute is a property too, and follows it; a boolean one is
 * on where it is, unless it says `false`, as some frameworks write.
 *
 * @slot header - above the conversation
 * @slot empty - shown while nothing has been said
 * @slot footer - below the message field
 * @csspart log - the conversation
 * @csspart message - one message; also `user` or `assistant`
 * @csspart prompt - the visitor's part of a story
 * @csspart thoughts - what the model thought before it answered, folded away
 * @csspart notice - what loading takes, and its progress
 * @csspart error - what went wrong
 * @csspart composer - message field and buttons
 * @csspart input - the message field
 * @csspart send - the send button
 * @csspart stop - the stop button
 * @csspart action - load, cancel, or try again
 * @csspart new-text - jumps to the end of the conversation
 * @cssprop --atomoe-text - text
 * @cssprop --atomoe-muted - quiet text
 * @cssprop --atomoe-surface - background
 * @cssprop --atomoe-line - borders
 * @cssprop --atomoe-accent - buttons, focus, progress
 * @cssprop --atomoe-on-accent - text on the accent
 * @cssprop --atomoe-radius - corner radius
 * @cssprop --atomoe-font - font family
 * @attr model - folder or file URL of the model; what it needs is shown, and loading waits for a click
 * @attr autoload - load at once
 * @attr placeholder - hint in the message field
 * @attr disabled - no messages may be sent
 * @attr device - `gpu` or `cpu`; by default the faster of both
 * @attr tuning - `off` takes sound default kernels instead of timing them once on each adapter
 * @fires chat-send - a message is about to be sent; `preventDefault()` keeps it from the model
 * @fires chat-token - one token of the reply
 * @fires chat-done - the reply is complete
 * @fires chat-error - something went wrong; detail: `{ code, message }`
 * @fires chat-progress - the load moved on
 */
export class ChatElement extends ElementBase {
  static readonly observedAttributes = ['model', 'placeholder', 'disabled', 'autoload'];

  /** Opens the engine for `model="..."`; `define.ts` sets the worker engine. */
  static openEngine: ((options: EngineChoice) => Promise<Engine>) | undefined;

  readonly #store = new ChatStore({ openEngine: () => this.#openEngine() });
  readonly #frame = oncePerFrame(() => this.#view?.render(this.#store.getState()));
  #internals: ElementInternals | undefined;
  #view: ChatView | undefined;
  #unsubscribe: Unsubscribe[] = [];
  #engine: Engine | undefined;
  #generateOptions: GenerateOptions = {};
  #loadOptions: LoadOptions = {};
  #source: string | undefined; // the model attribute that was last applied
  #kind: ChatState['kind'] = 'idle';

  /** An engine that the page opened; the element neither loads nor disposes of it unasked. */
  get engine(): Engine | undefined {
    return this.#engine;
  }

  set engine(engine: Engine | undefined) {
    this.#engine = engine;
    if (engine) this.#store.adopt(engine);
  }

  /** Settings of every reply. */
  get generateOptions(): GenerateOptions {
    return this.#generateOptions;
  }

  set generateOptions(options: GenerateOptions) {
    this.#generateOptions = options;
  }

  /** Settings of every load. */
  get loadOptions(): LoadOptions {
    return this.#loadOptions;
  }

  set loadOptions(options: LoadOptions) {
    this.#loadOptions = options;
  }

  /** What was said so far. */
  get messages(): readonly Message[] {
    return this.#store.getState().messages;
  }

  /** What the chat is doing. */
  get state(): ChatState {
    return this.#store.getState();
  }

  get model(): string | null {
    return this.getAttribute('model');
  }

  set model(url: string | null | undefined) {
    reflect(this, 'model', url);
  }

  /** Whether the model is loaded at once. */
  get autoload(): boolean {
    return isOn(this.getAttribute('autoload'));
  }

  set autoload(isWanted: boolean | undefined) {
    reflect(this, 'autoload', isWanted);
  }

  /** Whether no messages may be sent. */
  get disabled(): boolean {
    return isOn(this.getAttribute('disabled'));
  }

  set disabled(isWanted: boolean | undefined) {
    reflect(this, 'disabled', isWanted);
  }

  /** The hint in the message field. */
  get placeholder(): string {
    return this.getAttribute('placeholder') ?? '';
  }

  set placeholder(text: string | null | undefined) {
    reflect(this, 'placeholder', text);
  }

  /** `gpu`, `cpu`, or null for the faster of both; read when the engine opens. */
  get device(): string | null {
    return this.getAttribute('device');
  }

  set device(device: string | null | undefined) {
    reflect(this, 'device', device);
  }

  /** `off`, or null; read when the engine opens. */
  get tuning(): string | null {
    return this.getAttribute('tuning');
  }

  set tuning(tuning: string | null | undefined) {
    reflect(this, 'tuning', tuning);
  }

  /** Sends a message as if it had been typed, except that no `chat-send` is fired. */
  async send(text: string): Promise<boolean> {
    return this.#store.send(text, this.generateOptions);
  }

  /** Stops a reply or a load. */
  stop(): void {
    this.#store.stop();
  }

  /** Forgets the conversation. */
  clear(): void {
    this.#store.clear();
  }

  /** Loads the model of the `model` attribute. */
  async load(): Promise<void> {
    const { model } = this;
    if (model !== null) await this.#store.load(model, this.#loadOptions);
  }

  override focus(options?: FocusOptions): void {
    this.#view?.focus(options);
  }

  connectedCallback(): void {
    upgradeProperties(this, PROPERTIES);
    this.#build();
    if (this.#unsubscribe.length === 0) {
      this.#unsubscribe = [
        this.#store.subscribe((state) => this.#follow(state)),
        this.#store.tap((event) => this.#hear(event)),
      ];
    }
    this.#configure();
    this.#takeModel();
    this.#view?.render(this.#store.getState());
  }

  disconnectedCallback(): void {
    // A move disconnects and connects in one breath and must cost nothing; a removal ends the reply and the engine.
    queueMicrotask(() => {
      if (this.isConnected) return;
      for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
      this.#frame.cancel();
      this.#source = undefined;
      if (this.#engine) this.#store.stop();
      else this.#store.release();
    });
  }

  attributeChangedCallback(name: string, before: string | null): void {
    if (!this.isConnected || !this.#view) return;
    if (name === 'autoload') {
      // Permission to load what has shown its plan; a load that somebody stopped does not begin again by itself.
      if (this.autoload && !isOn(before) && this.state.kind === 'planning') this.#source = undefined;
    }
    if (name === 'model' || name === 'autoload') this.#takeModel();
    else this.#configure();
  }

  #build(): void {
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' });
    chatSheet(root); // each time: a document that it moved to has sheets of its own
    if (this.#view) return;
    this.#internals ??= this.attachInternals();
    this.#internals.role = 'region';
    this.#internals.ariaLabel = 'Chat with a language model';
    const view = new ChatView({
      state: () => this.#store.getState(),
      send: (text) => this.#userSends(text),
      stop: () => this.#store.stop(),
      load: () => void this.#store.load(),
      retry: () => void this.#store.retry(),
    });
    root.replaceChildren(view.root);
    this.addEventListener('keydown', (event) => view.onKey(event));
    this.#view = view;
  }

  #configure(): void {
    this.#view?.configure(this.placeholder, this.disabled);
  }

  #takeModel(): void {
    const { model } = this;
    if (model === null || model === this.#source) return;
    this.#source = model;
    if (this.autoload) void this.#store.load(model, this.loadOptions);
    else void this.#store.plan(model, this.loadOptions);
  }

  #userSends(text: string): void {
    if (this.#fire('chat-send', { text }, true)) void this.send(text);
  }

  #follow(state: ChatState): void {
    this.#frame.request();
    const hasChanged = state.kind !== this.#kind;
    this.#kind = state.kind;
    if (state.kind === 'failed' && hasChanged) this.#fire('chat-error', state.problem);
    if (state.kind === 'loading') this.#fire('chat-progress', state.progress);
  }

  #hear(event: GenerateEvent): void {
    if (event.kind === 'token') this.#fire('chat-token', event);
    if (event.kind === 'done') {
      const { reason, seed, usage, timings, text, reasoning } = event;
      const said = reasoning === undefined ? { text } : { text, reasoning };
      this.#fire('chat-done', { reason, seed, usage, timings, ...said });
    }
  }

  #fire<K extends keyof ChatElementEvents>(
    name: K,
    detail: ChatElementEvents[K]['detail'],
    cancelable = false,
  ): boolean {
    return this.dispatchEvent(new CustomEvent(name, { detail, cancelable, bubbles: true, composed: true }));
  }

  #openEngine(): Promise<Engine> {
    const { openEngine } = ChatElement;
    if (!openEngine) {
      return Promise.reject(new Error('no engine: set the engine property, or import atomoe/element/define'));
    }
    return openEngine({
      ...(this.device === 'cpu' || this.device === 'gpu' ? { device: this.device } : {}),
      ...(this.tuning === 'off' ? { tuning: 'off' } : {}),
    });
  }
}
