/** `<atomoe-chat>`: a chat with a model, in any page. Importing this module registers nothing; `define.ts` does. */
import type { Engine, GenerateEvent, GenerateOptions, LoadOptions, LoadProgress } from '../engine/api.ts';
import { ChatActs } from './chat-acts.ts';
import { chatSheet } from './chat-style.ts';
import { withTexts, type ChatTexts } from './chat-texts.ts';
import { ChatView } from './chat-view.ts';
import { CONTEXT_RULES, type ContextRule } from './context-rule.ts';
import type { Conversation } from './conversation.ts';
import { ElementBase, isOn, oncePerFrame, reflect, upgradeProperties } from './dom.ts';
import { readFeatures } from './features.ts';
import type { ChatRemote } from './remote-chat.ts';
import { readSettings, type ChatSettings } from './settings.ts';
import type { ChatState, Message, Problem, ReplyReport } from './state.ts';
import { ChatStore, type Unsubscribe } from './store.ts';

/** The events of `<atomoe-chat>` by name, with their details. All bubble and cross shadow borders. */
export interface ChatElementEvents {
  'chat-send': CustomEvent<{ readonly text: string }>; // cancelable: the page may answer instead
  'chat-token': CustomEvent<GenerateEvent & { readonly kind: 'token' }>;
  'chat-done': CustomEvent<ReplyReport & { readonly text: string; readonly reasoning?: string }>;
  'chat-error': CustomEvent<Problem>;
  'chat-progress': CustomEvent<LoadProgress>;
  'chat-settings': CustomEvent<ChatSettings>;
  'chat-action': CustomEvent<{ readonly action: string; readonly message: Message }>; // of the slot `actions`
}

/** What the attributes of an element say about its engine. */
export interface EngineChoice {
  readonly device?: 'gpu' | 'cpu';
  readonly tuning?: 'off';
}

/** Whatever `model` depends on comes before it. */
const PROPERTIES = [
  ...['generateOptions', 'loadOptions', 'remote', 'engine', 'placeholder', 'disabled', 'device', 'tuning'],
  ...['texts', 'settings', 'features', 'history', 'contextRule', 'name', 'autoload', 'model'],
];

/**
 * A chat with a language model that runs in the page. Each attribute is a property too, and follows it; a boolean one is
 * on where it is, unless it says `false`, as some frameworks write.
 *
 * What it offers beside talking is named in `features`: `copy`, `regenerate`, `continue`, `edit`, `delete`, `figures` and
 * `markdown` where the attribute is not there; `meter`, `new` and `settings` where they are named, or `all` is. In a form
 * its value is the last reply.
 *
 * @slot header - above the conversation
 * @slot empty - shown while nothing has been said
 * @slot footer - below the message field
 * @slot actions - buttons for each message beside the element's own: copies of these. `value` names the action of
 *   `chat-action`, `data-for` is `user` or `assistant` where it is for one of them
 * @csspart bar - buttons for the whole conversation, and the meter
 * @csspart meter - how much of the context is in use
 * @csspart panel - settings or history, in the place of the conversation
 * @csspart log - the conversation
 * @csspart turn - one message with its buttons
 * @csspart message - one message; also `user` or `assistant`
 * @csspart prompt - the visitor's part of a story
 * @csspart thoughts - what the model thought before it answered, folded away
 * @csspart tool-call - a call of a tool, with its arguments folded away
 * @csspart code - a block of code in a reply
 * @csspart tools - the buttons of one message
 * @csspart own-action - a button of the slot `actions`
 * @csspart consent - the dialog that asks before anything is sent to another server
 * @csspart remote - the line that says where replies come from, where it is another server
 * @csspart figures - tokens, speed, time to the first token, and seed of a reply
 * @csspart cut - the line below what the model is no longer given
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
 * @attr features - what it offers beside talking, by names between spaces; `all`, or empty for nothing
 * @attr history - conversations are kept in this browser, and a panel searches, opens, exports and imports them
 * @attr context-rule - what is left out of a conversation that is longer than the context: `drop-oldest`, `keep-first` (the
 *   oldest but the first exchange), `refuse` (nothing: the reply fails)
 * @attr name - of the value in a form
 * @fires chat-send - a message is about to be sent; `preventDefault()` keeps it from the model
 * @fires chat-token - one token of the reply
 * @fires chat-done - the reply is complete
 * @fires chat-error - something went wrong; detail: `{ code, message }`
 * @fires chat-progress - the load moved on
 * @fires chat-settings - somebody has changed the settings
 * @fires chat-action - a button of the slot `actions` was pressed
 */
export class ChatElement extends ElementBase {
  static readonly formAssociated = true;
  static readonly observedAttributes = [
    ...['model', 'placeholder', 'disabled', 'autoload', 'features', 'context-rule', 'history'],
  ];

  /** Opens the engine for `model="..."`; `define.ts` sets the worker engine. */
  static openEngine: ((options: EngineChoice) => Promise<Engine>) | undefined;

  readonly #store = new ChatStore({ openEngine: () => this.#openEngine() });
  readonly #frame = oncePerFrame(() => this.#view?.render(this.#store.getState()));
  readonly #acts = new ChatActs({
    store: this.#store,
    view: () => this.#view,
    texts: () => this.#texts,
    pageOptions: () => this.#generateOptions,
    style: (sheet) => this.#style(sheet),
    onSettings: () => this.#fire('chat-settings', this.settings),
  });
  readonly #reconnect = (): void => void this.#store.reconnect();
  readonly #sheets = new Set([chatSheet]);
  #texts = withTexts({});
  #internals: ElementInternals | undefined;
  #view: ChatView | undefined;
  #unsubscribe: Unsubscribe[] = [];
  #engine: Engine | undefined;
  #generateOptions: GenerateOptions = {};
  #loadOptions: LoadOptions = {};
  #remote: ChatRemote | undefined;
  #takeBack: (() => void) | undefined; // what was said and not sent
  #source: string | undefined; // the model attribute that was last applied
  #kind: ChatState['kind'] = 'idle';

  /** An engine that the page opened; the element neither loads nor disposes of it unasked. */
  get engine(): Engine | undefined {
    return this.#engine;
  }

  set engine(engine: Engine | undefined) {
    this.#engine = engine;
    this.#adopt();
  }

  /** Uses the page's engine, unless another server is asked instead or first. */
  #adopt(): void {
    const [engine, remote] = [this.#engine, this.#remote];
    if (engine && (!remote || (engine.model && remote.use !== 'always'))) this.#store.adopt(engine);
  }

  /**
   * Another server whose replies come in the place of the model's: where it does not fit, or always. The visitor is asked in a
   * dialog before the first prompt leaves the device, unless `confirm` is given. What was not sent goes back into the field.
   */
  get remote(): ChatRemote | undefined {
    return this.#remote;
  }

  set remote(remote: ChatRemote | undefined) {
    if (isSame(remote, this.#remote)) return; // frameworks make it anew
    this.#remote = remote;
    this.#source = undefined;
    this.#store.release(); // also where it is not shown: no prompt goes to the one before
    this.#adopt();
    if (this.isConnected && this.#view) this.#takeModel();
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

  /** What people have set for the replies. Comes before `generateOptions`; what is out of its range is dropped. */
  get settings(): ChatSettings {
    return this.#acts.settings;
  }

  set settings(settings: ChatSettings | undefined) {
    this.#acts.settings = readSettings(settings);
  }

  /** Texts in the place of the English ones; those that are not given stay English. */
  get texts(): ChatTexts {
    return this.#texts;
  }

  set texts(texts: Partial<ChatTexts> | undefined) {
    this.#texts = withTexts(texts ?? {});
    this.#configure();
    this.#view?.render(this.#store.getState());
  }

  /** All that was said, with versions that are not shown; plain data. Setting it does nothing while a reply is coming. */
  get conversation(): Conversation {
    return this.#store.conversation;
  }

  set conversation(conversation: Conversation) {
    this.#acts.replace(conversation);
  }

  /** The last reply: the value in a form. */
  get value(): string {
    return this.messages.findLast(({ role }) => role === 'assistant')?.text ?? '';
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

  /** What it offers beside talking; null: the usual. */
  get features(): string | null {
    return this.getAttribute('features');
  }

  set features(names: string | null | undefined) {
    reflect(this, 'features', names);
  }

  /** Whether conversations are kept on the device. */
  get history(): boolean {
    return isOn(this.getAttribute('history'));
  }

  set history(isWanted: boolean | undefined) {
    reflect(this, 'history', isWanted);
  }

  /** What is left out of a conversation that is longer than the context. */
  get contextRule(): ContextRule {
    const rule = this.getAttribute('context-rule');
    return CONTEXT_RULES.find((each) => each === rule) ?? 'drop-oldest';
  }

  set contextRule(rule: ContextRule | null | undefined) {
    reflect(this, 'context-rule', rule);
  }

  /** The name of its value in a form. */
  get name(): string {
    return this.getAttribute('name') ?? '';
  }

  set name(name: string | null | undefined) {
    reflect(this, 'name', name);
  }

  /** Sends a message as if it had been typed, except that no `chat-send` is fired. */
  async send(text: string): Promise<boolean> {
    return this.#store.send(text, this.#acts.options());
  }

  /** Stops a reply or a load. */
  stop(): void {
    this.#store.stop();
  }

  /** Forgets the conversation. */
  clear(): void {
    this.#acts.clear();
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
    addEventListener('online', this.#reconnect);
    this.#configure();
    this.#takeModel();
    this.#view?.render(this.#store.getState());
  }

  disconnectedCallback(): void {
    // A move disconnects and connects in one breath and must cost nothing; a removal ends the reply and the engine.
    queueMicrotask(() => {
      if (this.isConnected) return;
      for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
      removeEventListener('online', this.#reconnect);
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
    for (const sheet of this.#sheets) sheet(root); // each time: a document that it moved to has sheets of its own
    if (this.#view) return;
    this.#internals ??= this.attachInternals();
    this.#internals.role = 'region';
    const view = new ChatView(
      {
        state: () => this.#store.getState(),
        send: (text) => this.#userSends(text),
        stop: () => this.#store.stop(),
        load: () => void this.#store.load(),
        retry: () => void this.#store.retry(),
        act: (action, message) => this.#acts.act(action, message),
        own: (action, message) => this.#fire('chat-action', { action, message }),
        edit: (message, text) => this.#userEdits(message, text),
        bar: (action) => this.#acts.bar(action),
        style: (sheet) => this.#style(sheet),
      },
      this.#texts,
    );
    root.replaceChildren(view.root);
    this.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !event.isComposing && this.#acts.close()) event.preventDefault();
      else view.onKey(event);
    });
    this.#view = view;
  }

  #style(sheet: (root: ShadowRoot) => void): void {
    this.#sheets.add(sheet);
    if (this.shadowRoot) sheet(this.shadowRoot);
  }

  #configure(): void {
    if (this.#internals) this.#internals.ariaLabel = this.#texts.chat;
    this.#store.contextRule = this.contextRule;
    this.#view?.configure({
      placeholder: this.placeholder,
      isDisabled: this.disabled,
      texts: this.#texts,
      features: readFeatures(this.features, this.history),
    });
  }

  #takeModel(): void {
    const isElsewhere = this.#remote?.use === 'always';
    const model = isElsewhere ? (this.#remote?.model ?? null) : this.model;
    if (model === null || model === this.#source) return;
    this.#source = model;
    if (this.autoload || isElsewhere) void this.#store.load(model, this.loadOptions);
    else void this.#store.plan(model, this.loadOptions);
  }

  #userSends(text: string): void {
    this.#acts.close(false);
    if (this.#fire('chat-send', { text }, true)) void this.send(text);
  }

  #userEdits(message: Message, text: string): void {
    if (this.#fire('chat-send', { text }, true)) this.#acts.edit(message, text);
  }

  #follow(state: ChatState): void {
    this.#frame.request();
    const hasChanged = state.kind !== this.#kind;
    if (this.history && state.kind !== 'replying' && state.kind !== 'loading') void this.#acts.keep();
    if (state.kind !== 'replying') {
      this.#internals?.setFormValue(this.value);
      const takeBack = this.#takeBack;
      this.#takeBack = undefined;
      if (takeBack && state.kind === 'failed') return takeBack();
    }
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

  async #openEngine(): Promise<Engine> {
    const remote = this.#remote;
    if (!remote) return this.#openOwn();
    const own = remote.use === 'always' ? undefined : (this.#engine ?? (await this.#openOwn()));
    const { remoteEngine } = await import('./remote-chat.ts');
    return remoteEngine(own, remote, {
      store: this.#store,
      view: () => this.#view,
      root: () => this.shadowRoot,
      texts: () => this.#texts,
      style: (sheet) => this.#style(sheet),
      isOwned: own !== this.#engine,
      onRefuse: (takeBack) => (this.#takeBack = takeBack),
    });
  }

  #openOwn(): Promise<Engine> {
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

function isSame(one: ChatRemote | undefined, other: ChatRemote | undefined): boolean {
  const keys = Object.keys({ ...one, ...other }) as (keyof ChatRemote)[];
  return !one === !other && keys.every((key) => one?.[key] === other?.[key]);
}
