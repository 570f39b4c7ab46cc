// The public types of atomoe/element, written by npm run types:snapshot.
// What is not here is in atomoe.d.ts.
export { BudgetState, BusyExpert, ENGLISH as CHAT_TEXTS, CamelListeners, ChatAttributes, ChatElement, ChatElementEvents, ChatFeature, ChatPhase, ChatRemote, ChatSettings, ChatState, ChatStore, ChatStoreOptions, ChatTexts, ContextRule, ContextUse, Conversation, ElementTypes, EngineChoice, ExpertId, ExpertPick, ExpertShape, ExpertsElement, ExpertsElementEvents, FEATURES, LikedWord, Listeners, LoadStatus, MemoryAttributes, MemoryBudget, MemoryBudgetOptions, MemoryElement, Message, PRESETS, Piece, PresetName, Problem, ReplyFigures, ReplyReport, SavedConversation, SlotsAttributes, SlotsElement, SlotsElementEvents, Turn, Unsubscribe, bytesBeforeFirstToken, describeBudget, describePlan, describeProgress, formatBytes, formatPart, holdsAll, isFilling, readConversation, readConversations, shownTurns, speakBudget, toMarkdown, writeConversations };

interface BudgetState {
    readonly leastBytes: number;
    readonly mostBytes: number;
    readonly bytes: number;
    readonly plan: ModelPlan;
    readonly isChanging: boolean;
    readonly problem: Problem | undefined;
}

interface BusyExpert extends ExpertId {
    readonly share: number;
}

type Camel<Name extends string> = Name extends `${infer Head}-${infer Tail}` ? `${Capitalize<Head>}${Camel<Tail>}` : Capitalize<Name>;

type CamelListeners<Events> = {
    [Name in keyof Events & string as `on${Camel<Name>}`]?: ((event: Events[Name]) => void) | undefined;
};

interface Chat {
    readonly messages: readonly Message[];
    readonly model: ModelInfo | undefined;
    readonly report: ReplyReport | undefined;
    readonly context: ContextUse | undefined;
    readonly leftOut: readonly number[];
}

interface ChatAttributes {
    model?: string | null | undefined;
    autoload?: boolean | undefined;
    placeholder?: string | null | undefined;
    disabled?: boolean | undefined;
    device?: 'gpu' | 'cpu' | null | undefined;
    tuning?: 'off' | null | undefined;
    features?: string | null | undefined;
    history?: boolean | undefined;
    contextRule?: ContextRule | null | undefined;
    'context-rule'?: ContextRule | null | undefined;
    name?: string | null | undefined;
    settings?: ChatSettings | undefined;
    texts?: Partial<ChatTexts> | undefined;
    engine?: Engine | undefined;
    generateOptions?: GenerateOptions | undefined;
    loadOptions?: LoadOptions | undefined;
    remote?: ChatRemote | undefined;
}

declare class ChatElement extends ElementBase {
    #private;
    static readonly formAssociated = true;
    static readonly observedAttributes: string[];
    static openEngine: ((options: EngineChoice) => Promise<Engine>) | undefined;
    get engine(): Engine | undefined;
    set engine(engine: Engine | undefined);
    get remote(): ChatRemote | undefined;
    set remote(remote: ChatRemote | undefined);
    get generateOptions(): GenerateOptions;
    set generateOptions(options: GenerateOptions);
    get loadOptions(): LoadOptions;
    set loadOptions(options: LoadOptions);
    get settings(): ChatSettings;
    set settings(settings: ChatSettings | undefined);
    get texts(): ChatTexts;
    set texts(texts: Partial<ChatTexts> | undefined);
    get conversation(): Conversation;
    set conversation(conversation: Conversation);
    get value(): string;
    get messages(): readonly Message[];
    get state(): ChatState;
    get model(): string | null;
    set model(url: string | null | undefined);
    get autoload(): boolean;
    set autoload(isWanted: boolean | undefined);
    get disabled(): boolean;
    set disabled(isWanted: boolean | undefined);
    get placeholder(): string;
    set placeholder(text: string | null | undefined);
    get device(): string | null;
    set device(device: string | null | undefined);
    get tuning(): string | null;
    set tuning(tuning: string | null | undefined);
    get features(): string | null;
    set features(names: string | null | undefined);
    get history(): boolean;
    set history(isWanted: boolean | undefined);
    get contextRule(): ContextRule;
    set contextRule(rule: ContextRule | null | undefined);
    get name(): string;
    set name(name: string | null | undefined);
    send(text: string): Promise<boolean>;
    stop(): void;
    clear(): void;
    load(): Promise<void>;
    focus(options?: FocusOptions): void;
    connectedCallback(): void;
    disconnectedCallback(): void;
    attributeChangedCallback(name: string, before: string | null): void;
}

interface ChatElementEvents {
    'chat-send': CustomEvent<{
        readonly text: string;
    }>;
    'chat-token': CustomEvent<GenerateEvent & {
        readonly kind: 'token';
    }>;
    'chat-done': CustomEvent<ReplyReport & {
        readonly text: string;
        readonly reasoning?: string;
    }>;
    'chat-error': CustomEvent<Problem>;
    'chat-progress': CustomEvent<LoadProgress>;
    'chat-settings': CustomEvent<ChatSettings>;
    'chat-action': CustomEvent<{
        readonly action: string;
        readonly message: Message;
    }>;
}

type ChatFeature = (typeof FEATURES)[number];

type ChatPhase = {
    readonly kind: 'idle';
} | {
    readonly kind: 'planning';
    readonly plan: ModelPlan | undefined;
} | {
    readonly kind: 'loading';
    readonly progress: LoadProgress;
    readonly load: LoadStatus;
} | {
    readonly kind: 'ready';
} | {
    readonly kind: 'replying';
    readonly prefill: Prefill | undefined;
} | {
    readonly kind: 'stopped';
} | {
    readonly kind: 'failed';
    readonly problem: Problem;
    readonly retry: 'load' | 'send';
};

type ChatRemote = Omit<RemoteOptions, 'confirm'> & Partial<Pick<RemoteOptions, 'confirm'>>;

interface ChatSettings {
    readonly systemPrompt?: string;
    readonly temperature?: number;
    readonly topP?: number;
    readonly topK?: number;
    readonly minP?: number;
    readonly repetitionPenalty?: number;
    readonly maxTokens?: number;
    readonly seed?: number;
}

type ChatState = Chat & ChatPhase;

declare class ChatStore {
    #private;
    constructor(options: ChatStoreOptions);
    get systemPrompt(): string;
    set systemPrompt(text: string);
    get contextRule(): ContextRule;
    set contextRule(rule: ContextRule);
    get conversation(): Conversation;
    getState(): ChatState;
    get holdsModel(): boolean;
    subscribe(listener: (state: ChatState) => void): Unsubscribe;
    tap(listener: (event: GenerateEvent) => void): Unsubscribe;
    adopt(engine: Engine): void;
    plan(source: ModelSource, options?: LoadOptions): Promise<void>;
    load(source?: ModelSource | undefined, options?: LoadOptions): Promise<void>;
    send(text: string, options?: GenerateOptions): Promise<boolean>;
    edit(id: number, text: string, options?: GenerateOptions): Promise<boolean>;
    regenerate(id: number, options?: GenerateOptions): Promise<boolean>;
    continueReply(id: number, options?: GenerateOptions): Promise<boolean>;
    choose(id: number): boolean;
    delete(id: number): boolean;
    replace(conversation: Conversation): boolean;
    stop(): void;
    retry(): Promise<void>;
    reconnect(): Promise<void>;
    clear(): void;
    release(): void;
    dispose(): void;
}

interface ChatStoreOptions {
    readonly openEngine: () => Promise<Engine>;
    readonly now?: () => number;
}

type ChatTexts = {
    readonly [Name in keyof typeof ENGLISH]: string;
} & {
    readonly plan: (plan: ModelPlan) => string;
    readonly progress: (load: LoadStatus) => ProgressText;
    readonly errors: Readonly<Partial<Record<ErrorCode | 'unexpected', string>>>;
    readonly panels: Readonly<Record<string, string>>;
};

type ContextRule = 'drop-oldest' | 'keep-first' | 'refuse';

interface ContextUse {
    readonly usedTokens: number;
    readonly totalTokens: number;
}

interface Conversation {
    readonly turns: readonly Turn[];
    readonly chosen: readonly number[];
}

declare const ENGLISH: {
    readonly chat: 'Chat with a language model';
    readonly conversation: 'Conversation';
    readonly message: 'Message';
    readonly send: 'Send';
    readonly stop: 'Stop';
    readonly load: 'Load the model';
    readonly cancel: 'Cancel';
    readonly retry: 'Try again';
    readonly planning: 'Reading what the model needs…';
    readonly licence: 'Licence: {licence}.';
    readonly stopped: 'Stopped.';
    readonly newText: 'New text ↓';
    readonly story: 'Story';
    readonly you: 'You';
    readonly assistant: 'Assistant';
    readonly thoughts: 'Thoughts';
    readonly thinking: 'Thinking…';
    readonly isThinking: 'Thinking about a reply';
    readonly isWriting: 'Writing a reply';
    readonly isLoading: 'Loading the model';
    readonly loading: 'Loading';
    readonly actions: 'Actions for this message';
    readonly copy: 'Copy';
    readonly copied: 'Copied';
    readonly notCopied: 'This page may not copy';
    readonly regenerate: 'Again';
    readonly regenerateLong: 'Write another reply';
    readonly continue: 'Continue';
    readonly edit: 'Edit';
    readonly editLabel: 'Your message in other words';
    readonly save: 'Save';
    readonly delete: 'Delete';
    readonly deleteLong: 'Delete this message and what followed';
    readonly versions: 'Versions';
    readonly version: '{number}/{count}';
    readonly versionLong: 'Version {number} of {count}';
    readonly previous: 'Previous version';
    readonly next: 'Next version';
    readonly tokens: '{count} tokens';
    readonly speed: '{rate} tok/s';
    readonly firstToken: 'first after {time}';
    readonly seed: 'seed {seed}';
    readonly useSeed: 'Use this seed for the next replies';
    readonly seedUsed: 'The next replies use this seed';
    readonly cut: 'The model is no longer given what is above: the conversation is longer than its context.';
    readonly cutFaint: 'The model is no longer given the faint messages: the conversation is longer than its context.';
    readonly context: 'Context in use';
    readonly contextUse: '{used} of {total} tokens';
    readonly copyAll: 'Copy all';
    readonly new: 'New';
    readonly newLong: 'Begin another conversation';
    readonly settings: 'Settings';
    readonly history: 'History';
    readonly close: 'Close';
    readonly calls: 'Calls {name}';
    readonly copyCode: 'Copy code';
    readonly image: 'Image: {alt}';
};

declare const ElementBase: typeof HTMLElement;

interface ElementTypes {
    'atomoe-chat': {
        element: ChatElement;
        attributes: ChatAttributes;
        events: ChatElementEvents;
    };
    'atomoe-experts': {
        element: ExpertsElement;
        attributes: object;
        events: ExpertsElementEvents;
    };
    'atomoe-memory': {
        element: MemoryElement;
        attributes: MemoryAttributes;
        events: object;
    };
    'atomoe-slots': {
        element: SlotsElement;
        attributes: SlotsAttributes;
        events: SlotsElementEvents;
    };
}

interface EngineChoice {
    readonly device?: 'gpu' | 'cpu';
    readonly tuning?: 'off';
}

declare class ExpertActivity {
    #private;
    readonly shape: ExpertShape;
    readonly heat: Float32Array;
    readonly use: Float32Array;
    constructor(shape: ExpertShape);
    get words(): readonly string[];
    get maxUse(): number;
    index({ layer, expert }: ExpertId): number;
    addToken(text: string, routes: TokenRoutes | undefined): Piece[];
    cool(elapsedMs: number): boolean;
    routesOf(word: number): ReadonlyMap<number, number>;
    wordsOf(id: ExpertId): number[];
    likedWords(id: ExpertId, limit: number): LikedWord[];
    busiest(layer: number, limit: number): BusyExpert[];
}

interface ExpertId {
    readonly layer: number;
    readonly expert: number;
}

interface ExpertPick extends ExpertId {
    readonly words: readonly number[];
}

interface ExpertShape {
    readonly layers: number;
    readonly perLayer: number;
    readonly grid?: number;
}

declare class ExpertsElement extends ElementBase {
    #private;
    paintMs: number;
    get activity(): ExpertActivity | undefined;
    connectedCallback(): void;
    disconnectedCallback(): void;
    reset(shape?: ExpertShape | undefined, expertsPerToken?: number): void;
    addToken(text: string, routes: TokenRoutes | undefined): Piece[];
    showWord(word: number | undefined): void;
    pick(id: ExpertId | undefined): void;
    settle(): void;
}

interface ExpertsElementEvents {
    'experts-pick': CustomEvent<ExpertPick | null>;
}

declare const FEATURES: readonly ['copy', 'regenerate', 'continue', 'edit', 'delete', 'figures', 'markdown', 'meter', 'new', 'settings', 'history'];

type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

interface LikedWord {
    readonly text: string;
    readonly count: number;
}

type Listeners<Events> = {
    [Name in keyof Events & string as `on${Name}`]?: ((event: Events[Name]) => void) | undefined;
};

interface LoadStatus {
    readonly phase: LoadProgress['kind'];
    readonly doneBytes: number;
    readonly totalBytes: number;
    readonly modelBytes: number;
    readonly doneSteps: number;
    readonly totalSteps: number;
    readonly fraction: number | undefined;
    readonly bytesPerSecond: number | undefined;
    readonly secondsLeft: number | undefined;
}

interface MemoryAttributes {
    report?: MemoryReport | undefined;
    where?: string | null | undefined;
}

declare class MemoryBudget {
    #private;
    constructor(options: MemoryBudgetOptions);
    get state(): BudgetState;
    ask(bytes: number): void;
    dispose(): void;
}

interface MemoryBudgetOptions {
    readonly engine: Pick<Engine, 'resize'>;
    readonly plan: ModelPlan;
    readonly onChange: (state: BudgetState) => void;
    readonly delayMs?: number;
}

declare class MemoryElement extends ElementBase {
    #private;
    get report(): MemoryReport | undefined;
    set report(report: MemoryReport | undefined);
    get where(): string;
    set where(text: string | null | undefined);
    connectedCallback(): void;
}

type Message = ShownTurn;

declare const PRESETS: Readonly<Record<'precise' | 'balanced' | 'playful', Sampling>>;

type Piece = {
    readonly kind: 'space';
    readonly text: string;
} | {
    readonly kind: 'word';
    readonly text: string;
    readonly word: number;
    readonly isNew: boolean;
};

interface Prefill {
    readonly doneTokens: number;
    readonly totalTokens: number;
}

type PresetName = keyof typeof PRESETS;

interface Problem {
    readonly code: ErrorCode | 'unexpected';
    readonly message: string;
    readonly detail: string;
}

interface ProgressText {
    readonly text: string;
    readonly fraction: number | undefined;
}

interface RemoteOptions {
    readonly baseURL: string;
    readonly apiKey?: string;
    readonly model: string;
    readonly use?: 'too-small' | 'always';
    readonly confirm: (host: string) => boolean | Promise<boolean>;
    readonly fetch?: Fetch;
}

interface ReplyFigures {
    readonly reason: FinishReason;
    readonly seed: number;
    readonly completionTokens: number;
    readonly contextTokens: number;
    readonly firstTokenMs: number;
    readonly tokensPerSecond: number;
}

interface ReplyReport {
    readonly reason: FinishReason;
    readonly seed: number;
    readonly usage: Usage;
    readonly timings: Timings;
}

type Sampling = Pick<ChatSettings, 'temperature' | 'topP' | 'topK' | 'minP' | 'repetitionPenalty'>;

interface SavedConversation {
    readonly id: string;
    readonly title: string;
    readonly changedAtMs: number;
    readonly conversation: Conversation;
}

interface ShownTurn extends Turn {
    readonly versions: readonly number[];
}

interface SlotsAttributes {
    talking?: boolean | undefined;
}

declare class SlotsElement extends ElementBase {
    #private;
    follow(engine: Engine | undefined): void;
    get talking(): boolean;
    set talking(isTalking: boolean);
    get report(): StreamingReport | undefined;
    refresh(): void;
    connectedCallback(): void;
    disconnectedCallback(): void;
}

interface SlotsElementEvents {
    'slots-report': CustomEvent<StreamingReport | null>;
}

interface SpeakerNames {
    readonly user: string;
    readonly assistant: string;
}

interface Turn {
    readonly id: number;
    readonly parent: number | undefined;
    readonly role: 'user' | 'assistant';
    readonly text: string;
    readonly thoughts: string;
    readonly status: 'complete' | 'streaming' | 'stopped' | 'failed';
    readonly toolCalls?: readonly ChatToolCall[];
    readonly figures?: ReplyFigures;
}

type Unsubscribe = () => void;

declare function bytesBeforeFirstToken(plan: ModelPlan, promptTokens: number): number;

declare function describeBudget(plan: ModelPlan, unitsPerLayer: number | undefined): string;

declare function describePlan(plan: ModelPlan): string;

declare function describeProgress({ fraction, ...status }: LoadStatus): ProgressText;

declare function formatBytes(bytes: number): string;

declare function formatPart(doneBytes: number, totalBytes: number): string;

declare function holdsAll({ bytes }: ModelPlan): boolean;

declare function isFilling(report: StreamingReport): boolean;

declare function readConversation(value: unknown): Conversation;

declare function readConversations(text: string): readonly SavedConversation[];

declare function shownTurns({ turns, chosen }: Conversation): readonly ShownTurn[];

declare function speakBudget({ bytes, mostBytes: most, plan }: BudgetState): string;

declare function toMarkdown(conversation: Conversation, names: SpeakerNames): string;

declare function writeConversations(conversations: readonly SavedConversation[]): string;
