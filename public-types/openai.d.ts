// The public types of atomoe/openai, written by npm run types:snapshot.
// What is not here is in atomoe.d.ts.
export { AnsweringEngine, AnyAnswer, AnyCompletions, AnyStream, Fetch, LocalPart, PageWorld, RanOn, RemoteEngine, RemoteOptions, WorkerContainer, WorkerMessages, openaiFetch, serveV1, v1Ready, withRemote };

type AnsweringEngine = Pick<Engine, 'chat' | 'completions' | 'model'>;

type AnyAnswer<T extends {
    choices: {
        atomoe?: unknown;
    }[];
}> = Omit<T, 'choices'> & {
    choices: (Omit<T['choices'][number], 'atomoe'> & Partial<Pick<T['choices'][number], 'atomoe'>>)[];
    ranOn: RanOn;
};

interface AnyCompletions<Asked, Whole, Chunk> {
    create(request: Asked & {
        stream: true;
    }, options?: ChatRequestOptions): Promise<AnyStream<Chunk>>;
    create(request: Asked & {
        stream?: false | null | undefined;
    }, options?: ChatRequestOptions): Promise<Whole>;
    create(request: Asked, options?: ChatRequestOptions): Promise<Whole | AnyStream<Chunk>>;
}

interface AnyStream<T> extends AsyncIterable<T> {
    readonly controller: AbortController;
    readonly ranOn: RanOn;
}

type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

type LocalPart = Pick<Engine, 'chat' | 'completions' | 'model' | 'plan' | 'load'>;

interface PageWorld {
    readonly messages?: WorkerMessages;
    readonly locks?: Pick<LockManager, 'request'>;
}

type RanOn = 'device' | 'remote';

interface RemoteEngine {
    readonly ranOn: RanOn | undefined;
    readonly why: string;
    readonly model: {
        readonly label: string;
    } | undefined;
    readonly chat: {
        readonly completions: AnyCompletions<ChatCompletionRequest, AnyAnswer<ChatCompletion>, AnyAnswer<ChatCompletionChunk>>;
    };
    readonly completions: AnyCompletions<TextCompletionRequest, AnyAnswer<TextCompletion>, AnyAnswer<TextCompletionChunk>>;
    load(model: ModelSource, options?: LoadOptions): Promise<RanOn>;
}

interface RemoteOptions {
    readonly baseURL: string;
    readonly apiKey?: string;
    readonly model: string;
    readonly use?: 'too-small' | 'always';
    readonly confirm: (host: string) => boolean | Promise<boolean>;
    readonly fetch?: Fetch;
}

type WorkerContainer = Pick<ServiceWorkerContainer, 'controller' | 'getRegistration' | 'addEventListener' | 'removeEventListener'>;

interface WorkerMessages {
    addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
    removeEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
    startMessages?(): void;
}

declare function openaiFetch(given: AnsweringEngine | RemoteEngine): Fetch;

declare function serveV1(answer: Fetch, world?: PageWorld): () => void;

declare function v1Ready(given?: WorkerContainer): Promise<void>;

declare function withRemote(engine: LocalPart, given: RemoteOptions): RemoteEngine;
