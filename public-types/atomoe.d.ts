// The public types of atomoe, written by npm run types:snapshot.
export { ACTIVATIONS, Activation, AdapterReport, AffineNormSpec, AtomoeError, AttentionSpec, BatchNormSpec, BiasedAttentionSpec, BlockSpec, Blocks, BuiltInFormat, ChatCompletion, ChatCompletionChunk, ChatCompletionRequest, ChatCompletionStream, ChatCompletionUsage, ChatCompletions, ChatContentPart, ChatDetails, ChatLogprobs, ChatMessage, ChatMessageCall, ChatRequestMessage, ChatRequestOptions, ChatTokenLogprob, ChatTool, ChatToolCall, Checkpoint, ConfigFamily, ConfigReader, ConsistencyOptions, Container, ContrastOptions, DecodedToken, Decoder, DecodingName, DecodingOption, DecodingOptions, DecodingReport, DecodingState, DecodingStrategy, DeltaNetSpec, DenseSpec, DeviceKind, DiskReport, Dispatch, DispatchReport, Engine, EngineOptions, EngineTools, ErrorCode, ExpertKind, ExpertKindName, ExpertNumbers, ExpertPart, ExpertRows, ExpertSpec, FileSource, FinishReason, FolderSource, FormatName, FormatShaders, GatedExpertSpec, GatedMlpSpec, GenerateEvent, GenerateOptions, GluActivation, GpuEntry, Graph, GraphBuilder, GraphPurpose, HostDevice, HubChoice, HubFile, HubModel, HubName, HubOptions, JsonSchemaFormat, Kernel, LatentAttentionSpec, LayerHooks, LayerNormSpec, LayerRouting, LayerSpec, LinearScoreSpec, LinearSpec, LoadOptions, LoadProgress, LocalEngine, LossyOptions, LossyReport, LostTensor, LowerContext, MakePolicy, MemoryNeeds, MemoryReport, Mixer, MixerName, ModelFamily, ModelFile, ModelFiles, ModelFolder, ModelGraph, ModelInfo, ModelOutputs, ModelPlan, ModelSource, ModelSpec, MoeSite, MoeSpec, NO_MEMORY, NeuronExpertSpec, NgramOptions, Node, NormSpec, OpDefinition, OwnBlocks, Part, PlanNote, Plane, Policy, PolicyName, PolicyShape, PostNormSpec, Prediction, ProductKeysScoreSpec, ProductScoreSpec, Prompt, PromptOptions, QuantizeFormat, ReadOptions, ReadyRecords, Ref, RefusedKernel, ReluSquaredExpertSpec, Repack, ReplyConstraints, RequestTensor, RequestTensors, ResponseFormat, RestoreReport, RewireOptions, RopeSpec, RouteOutputs, RouteReplay, RouteSteer, Router, RouterName, RouterSpec, Routes, RoutingHooks, RoutingTrace, RunContext, SLOT_STATES, SamplingOptions, Scalar, ScoreName, ScoreOptions, ScoreStage, ScoredToken, SelectName, SelectSpec, SelectStage, Session, SharedSpec, ShortConvSpec, Site, SoftThinkingOptions, Stage, StageParams, StageRole, StateRewind, StateSpaceSpec, StateSpec, States, Step, StepInput, StoredModel, StreamOptions, StreamingOptions, StreamingReport, SublayerSpec, Tensor, TensorBytes, TensorInfo, TensorReadOptions, TensorRows, TensorShape, TextChoice, TextCompletion, TextCompletionChunk, TextCompletionRequest, TextCompletionStream, TextCompletions, TextLogprobs, Timings, TokenChance, TokenLogprob, TokenRoutes, ToolChoice, TransformSpec, TuningMode, TuningStore, Usage, Variant, WeighName, WeighSpec, WeighStage, Weight, WeightFormat, WorkerEngineOptions, buildDecoder, builtInFamily, createEngine, createWorkerEngine, cross, defineFormat, defineKernel, defineOp, deleteModel, dispatch, estimateStorage, featuresOf, foldGrid, gridPart, hubChoices, hubFileUrl, isMoe, listModels, memoryNeeds, nextOf, parseHubName, persistStorage, readHubModel, reducePart, registerFormat, registerStage, scalarPrelude };

declare const ACTIVATIONS: readonly ['silu', 'gelu-tanh', 'gelu', 'relu', 'relu2'];

type Access = 'read' | 'write';

type Activation = (typeof ACTIVATIONS)[number];

type AdapterClass = 'hardware' | 'software';

interface AdapterReport {
    readonly device: Exclude<DeviceKind, 'auto'>;
    readonly name: string;
    readonly adapterClass: 'hardware' | 'software';
    readonly f16: boolean;
    readonly subgroups: boolean;
    readonly maxBindingBytes: number;
    readonly why: string;
}

interface AddedToken {
    readonly id: number;
    readonly content: string;
    readonly special: boolean;
    readonly [flag: string]: unknown;
}

interface AffineNormSpec extends BatchNormSpec {
    readonly gain?: string;
    readonly shift?: string;
}

interface AliasedScoreSpec {
    readonly kind: 'aliased';
    readonly router: RouterSpec;
    readonly block: Router;
    readonly alias: readonly number[];
}

interface AnalyticScoreSpec {
    readonly kind: 'analytic';
    readonly classifier: string;
    readonly gate: string;
}

declare class AtomoeError extends Error {
    readonly name = "AtomoeError";
    readonly code: ErrorCode;
    constructor(code: ErrorCode, message: string, options?: ErrorOptions);
}

interface AttentionSpec {
    readonly kind: 'attention';
    readonly heads: number;
    readonly kvHeads: number;
    readonly headDim: number;
    readonly scale: number;
    readonly window: number;
    readonly chunk?: number;
    readonly temperature?: {
        readonly scale: number;
        readonly span: number;
    };
    readonly rope: RopeSpec;
    readonly clip?: number;
    readonly sinks?: string;
    readonly norm: {
        readonly kind: 'none';
    } | {
        readonly kind: Exclude<QkNorm, 'none'>;
        readonly q?: string;
        readonly k?: string;
    };
    readonly qkv: LinearSpec;
    readonly gate?: LinearSpec;
    readonly out: LinearSpec;
}

interface AutoBudget {
    readonly budgetBytes: number;
    readonly note: PlanNote | undefined;
}

declare const BLOCK_DTYPES: {
    readonly Q4_0: {
        readonly block: 32;
        readonly sizeBytes: 18;
        readonly halves: readonly [0];
    };
    readonly Q4_1: {
        readonly block: 32;
        readonly sizeBytes: 20;
        readonly halves: readonly [0, 2];
    };
    readonly Q5_0: {
        readonly block: 32;
        readonly sizeBytes: 22;
        readonly halves: readonly [0];
    };
    readonly Q5_1: {
        readonly block: 32;
        readonly sizeBytes: 24;
        readonly halves: readonly [0, 2];
    };
    readonly Q8_0: {
        readonly block: 32;
        readonly sizeBytes: 34;
        readonly halves: readonly [0];
    };
    readonly Q2_K: {
        readonly block: 256;
        readonly sizeBytes: 84;
        readonly halves: readonly [80, 82];
    };
    readonly Q3_K: {
        readonly block: 256;
        readonly sizeBytes: 110;
        readonly halves: readonly [108];
    };
    readonly Q4_K: {
        readonly block: 256;
        readonly sizeBytes: 144;
        readonly halves: readonly [0, 2];
    };
    readonly Q5_K: {
        readonly block: 256;
        readonly sizeBytes: 176;
        readonly halves: readonly [0, 2];
    };
    readonly Q6_K: {
        readonly block: 256;
        readonly sizeBytes: 210;
        readonly halves: readonly [208];
    };
    readonly IQ4_NL: {
        readonly block: 32;
        readonly sizeBytes: 18;
        readonly halves: readonly [0];
    };
    readonly IQ4_XS: {
        readonly block: 256;
        readonly sizeBytes: 136;
        readonly halves: readonly [0];
    };
    readonly IQ3_S: {
        readonly block: 256;
        readonly sizeBytes: number;
        readonly unpackedBytes: 140;
        readonly halves: readonly [0];
    };
    readonly IQ3_XXS: {
        readonly block: 256;
        readonly sizeBytes: number;
        readonly unpackedBytes: 140;
        readonly halves: readonly [0];
    };
    readonly IQ2_S: {
        readonly block: 256;
        readonly sizeBytes: number;
        readonly unpackedBytes: 140;
        readonly halves: readonly [0];
    };
    readonly IQ2_XS: {
        readonly block: 256;
        readonly sizeBytes: number;
        readonly unpackedBytes: 140;
        readonly halves: readonly [0];
    };
    readonly IQ2_XXS: {
        readonly block: 256;
        readonly sizeBytes: number;
        readonly unpackedBytes: 140;
        readonly halves: readonly [0];
    };
    readonly IQ1_M: {
        readonly block: 256;
        readonly sizeBytes: number;
        readonly unpackedBytes: 140;
        readonly halves: readonly [];
    };
    readonly IQ1_S: {
        readonly block: 256;
        readonly sizeBytes: number;
        readonly unpackedBytes: 140;
        readonly halves: readonly [0];
    };
    readonly TQ2_0: {
        readonly block: 256;
        readonly sizeBytes: 66;
        readonly halves: readonly [64];
    };
    readonly TQ1_0: {
        readonly block: 256;
        readonly sizeBytes: 54;
        readonly unpackedBytes: 68;
        readonly halves: readonly [52];
    };
    readonly MXFP4: {
        readonly block: 32;
        readonly sizeBytes: 17;
        readonly halves: readonly [];
    };
    readonly NVFP4: {
        readonly block: 64;
        readonly sizeBytes: 36;
        readonly halves: readonly [];
    };
    readonly F4_G16: {
        readonly block: 64;
        readonly sizeBytes: 40;
        readonly halves: readonly [];
    };
    readonly F8_G128: {
        readonly block: 32;
        readonly sizeBytes: 36;
        readonly halves: readonly [];
    };
    readonly I8_G128: {
        readonly block: 32;
        readonly sizeBytes: 36;
        readonly halves: readonly [];
    };
    readonly U4_G32: {
        readonly block: 32;
        readonly sizeBytes: 20;
        readonly halves: readonly [];
    };
};

interface BaseOptions {
    readonly recordBytes: number;
    readonly units: number;
    readonly isHere: (layer: number, unit: number) => boolean;
}

declare class BaseRecords {
    #private;
    constructor(planes: Omit<RecordPlanes, 'open'>, options: BaseOptions);
    get hasRoom(): boolean;
    has(layer: number, unit: number): boolean;
    read(layer: number, unit: number, signal: AbortSignal): Promise<boolean>;
    rest(layer: number, unit: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> | undefined;
    absentByHeat(streamer: Heat): ExpertAddress[];
    clear(): void;
}

interface BatchNormSpec {
    readonly mean: string;
    readonly variance: string;
    readonly epsilon: number;
}

interface BiasedAttentionSpec extends Omit<AttentionSpec, 'kind' | 'sinks'> {
    readonly kind: 'biasedAttention';
    readonly keyBias: {
        readonly weight: string;
        readonly slope: string;
    };
}

type Bindings = Readonly<Record<string, Access>>;

type BlockDtype = keyof typeof BLOCK_DTYPES;

interface BlockSpec {
    readonly kind: string;
}

interface Blocks {
    mixer(spec: BlockSpec): Mixer;
    router(spec: RouterSpec): Router;
    expert(spec: ExpertSpec): ExpertKind;
}

interface Bounds {
    readonly matrixBindingBytes?: number;
    readonly mostMultiplyAdds?: number;
    readonly memoryBytes?: number;
}

declare class Buffer {
    #private;
    readonly label: string;
    readonly sizeBytes: number;
    readonly kind: MemoryKind;
    readonly handle: GPUBuffer;
    constructor(gpu: Gpu, handle: GPUBuffer, { label, sizeBytes, kind }: BufferOptions);
    dispose(): void;
}

interface BufferOptions {
    readonly label: string;
    readonly sizeBytes: number;
    readonly kind: MemoryKind;
    readonly use?: BufferUse;
}

type BufferUse = 'storage' | 'uniform' | 'indirect' | 'readback';

interface Building {
    readonly routed: RoutedLayers;
    readonly spec: Pick<ModelSpec, 'hidden' | 'eps' | 'gainOffset'>;
    readonly purpose: GraphPurpose;
    readonly builder: GraphBuilder;
}

type BuiltInFormat = keyof typeof STORED | QuantizedFormat | keyof typeof QUANTIZED_FILES;

type BuiltName = SimdBuild | `${SimdBuild}-threads`;

interface Candidates {
    readonly ids: Uint32Array;
    readonly logits: Float32Array;
    readonly vocab: number;
    readonly sum: number;
    readonly temperedSum: number;
}

interface ChatCompletion extends ChatHead {
    object: 'chat.completion';
    choices: {
        index: number;
        message: {
            role: 'assistant';
            content: string;
            refusal: null;
            reasoning_content?: string;
            tool_calls?: ChatToolCall[];
        };
        finish_reason: 'stop' | 'length' | 'tool_calls';
        logprobs: ChatLogprobs | null;
        atomoe: ChatDetails;
    }[];
    usage: ChatCompletionUsage;
}

interface ChatCompletionChunk extends ChatHead {
    object: 'chat.completion.chunk';
    choices: {
        index: number;
        delta: {
            role?: 'assistant';
            content?: string;
            refusal?: null;
            reasoning_content?: string;
            tool_calls?: (ChatToolCall & {
                index: number;
            })[];
        };
        finish_reason: 'stop' | 'length' | 'tool_calls' | null;
        logprobs: ChatLogprobs | null;
        atomoe?: ChatDetails;
    }[];
    usage?: ChatCompletionUsage | null;
}

interface ChatCompletionRequest {
    messages: readonly ChatRequestMessage[];
    model?: string | null | undefined;
    stream?: boolean | null | undefined;
    stream_options?: StreamOptions | null | undefined;
    max_tokens?: number | null | undefined;
    max_completion_tokens?: number | null | undefined;
    temperature?: number | null | undefined;
    top_p?: number | null | undefined;
    top_k?: number | null | undefined;
    min_p?: number | null | undefined;
    repetition_penalty?: number | null | undefined;
    seed?: number | null | undefined;
    stop?: string | readonly string[] | null | undefined;
    logprobs?: boolean | null | undefined;
    top_logprobs?: number | null | undefined;
    tools?: readonly unknown[] | null | undefined;
    tool_choice?: unknown;
    parallel_tool_calls?: boolean | null | undefined;
    response_format?: unknown;
    logit_bias?: Readonly<Record<string, number>> | null | undefined;
    presence_penalty?: number | null | undefined;
    frequency_penalty?: number | null | undefined;
    n?: number | null | undefined;
    chat_template_kwargs?: Readonly<Record<string, unknown>> | null | undefined;
    continue_final_message?: boolean | null | undefined;
    reasoning_effort?: string | null | undefined;
    atomoe?: Pick<GenerateOptions, 'hooks' | 'tensors' | 'trace' | 'decoding'> | null | undefined;
    signal?: AbortSignal | null | undefined;
    metadata?: unknown;
    prediction?: unknown;
    prompt_cache_key?: unknown;
    prompt_cache_retention?: unknown;
    safety_identifier?: unknown;
    service_tier?: unknown;
    store?: unknown;
    user?: unknown;
    audio?: unknown;
    function_call?: unknown;
    functions?: unknown;
    modalities?: unknown;
    moderation?: unknown;
    verbosity?: unknown;
    web_search_options?: unknown;
}

interface ChatCompletionStream extends AsyncIterable<ChatCompletionChunk> {
    readonly controller: AbortController;
}

interface ChatCompletionUsage {
    prompt_tokens: number;
    completion_tokens: number;
    total_tokens: number;
    completion_tokens_details?: {
        reasoning_tokens: number;
    };
}

interface ChatCompletions {
    create(request: ChatCompletionRequest & {
        stream: true;
    }, options?: ChatRequestOptions): Promise<ChatCompletionStream>;
    create(request: ChatCompletionRequest & {
        stream?: false | null | undefined;
    }, options?: ChatRequestOptions): Promise<ChatCompletion>;
    create(request: ChatCompletionRequest, options?: ChatRequestOptions): Promise<ChatCompletion | ChatCompletionStream>;
}

interface ChatContentPart {
    readonly type: string;
    readonly text?: string;
}

interface ChatDetails {
    reason: FinishReason;
    seed: number;
    timings: Timings;
    trace?: RoutingTrace;
    decoding?: DecodingReport;
    lossy?: LossyReport;
}

interface ChatHead {
    id: string;
    created: number;
    model: string;
    system_fingerprint: string;
}

interface ChatLogprobs {
    content: ChatTokenLogprob[];
    refusal: null;
}

interface ChatMessage {
    readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
    readonly content: string | readonly ChatContentPart[];
    readonly name?: string;
    readonly reasoning_content?: string;
    readonly tool_calls?: readonly ChatMessageCall[];
    readonly tool_call_id?: string;
}

interface ChatMessageCall {
    readonly id?: string;
    readonly type?: 'function';
    readonly function: {
        readonly name: string;
        readonly arguments?: string | Readonly<Record<string, unknown>>;
    };
}

interface ChatRequestMessage {
    readonly role: ChatMessage['role'] | 'function';
    readonly content?: string | readonly ChatContentPart[] | null | undefined;
    readonly reasoning_content?: string | null | undefined;
    readonly tool_calls?: readonly unknown[] | null | undefined;
    readonly tool_call_id?: string | null | undefined;
}

interface ChatRequestOptions {
    signal?: AbortSignal | null | undefined;
    headers?: unknown;
    idempotencyKey?: unknown;
    maxRetries?: unknown;
}

interface ChatTokenLogprob {
    token: string;
    bytes: number[] | null;
    logprob: number;
    top_logprobs: {
        token: string;
        bytes: number[] | null;
        logprob: number;
    }[];
}

interface ChatTool {
    readonly type: 'function';
    readonly function: {
        readonly name: string;
        readonly description?: string;
        readonly parameters?: Readonly<Record<string, unknown>>;
        readonly strict?: boolean | null;
    };
}

interface ChatToolCall {
    readonly id: string;
    readonly type: 'function';
    readonly function: {
        readonly name: string;
        readonly arguments: string;
    };
}

interface Checkpoint {
    readonly label: string;
    readonly config: JsonObject;
    readonly generationConfig: JsonObject | undefined;
    readonly metadata: Readonly<Record<string, string>>;
    readonly files: readonly {
        readonly name: string;
        readonly sizeBytes: number;
    }[];
    readonly totalBytes: number;
    readonly unrangedBytes: number;
    readonly records?: ReadyRecords;
    readonly gguf?: GgufMetadata;
    readonly inOwnWords?: (error: unknown) => unknown;
    readonly isDecoderOnly?: true;
    readonly unverified?: string;
    readonly expanded?: string;
    names(): IterableIterator<string>;
    tensor(name: string): TensorInfo | undefined;
    readsRows?(name: string): boolean;
    readonly lost: ReadonlyMap<string, LostTensor>;
    read(name: string, options?: TensorReadOptions): Promise<TensorBytes>;
    readF32(name: string, options?: TensorReadOptions): Promise<Float32Array<ArrayBuffer>>;
    dispose(): void;
}

interface Choice {
    readonly key: string;
    readonly candidates: readonly string[];
    readonly make: (candidate: string) => readonly Dispatch[];
}

interface Choosable<V extends Variant> {
    readonly name: string;
    readonly key: (variant: V) => string;
    readonly features?: (variant: V) => readonly string[];
    readonly bindings?: Bindings;
    readonly bindingsOf?: (variant: V) => Bindings;
}

interface ConditionalScore {
    readonly kind: 'condition';
    readonly name: string;
    readonly equals: number;
    readonly experts: readonly number[];
    readonly value: number;
    readonly otherwise: ScoreDescription;
}

interface ConfigFamily {
    readonly modelTypes: readonly string[];
    readonly parse: (config: ConfigReader, file?: FileTensors) => ModelSpec;
}

declare class ConfigReader {
    #private;
    constructor(values: ConfigValues, where: string, defaults?: ConfigValues);
    withDefaults(defaults?: ConfigValues): ConfigReader;
    contradiction(first: {
        readonly key: string;
        readonly value: unknown;
    }, other: {
        readonly key: string;
        readonly value: unknown;
    }): AtomoeError;
    count(keys: readonly string[], fallback?: number, most?: number): number;
    positive(keys: readonly string[], fallback?: number): number;
    number(keys: readonly string[], fallback?: number): number;
    boolean(keys: readonly string[], fallback?: boolean): boolean;
    text(keys: readonly string[], fallback?: string): string;
    choice<const T extends string>(keys: readonly string[], options: readonly T[], fallback?: T): T;
    integers(keys: readonly string[]): number[];
    words(key: string): string[] | undefined;
    list(key: string): readonly unknown[] | undefined;
    has(key: string): boolean;
    is(key: string, value: string): boolean;
    isNull(key: string): boolean;
    keys(): string[];
    refuseUnread(changing: Readonly<Record<string, readonly unknown[]>>): void;
    section(key: string): ConfigReader;
    unsupported(what: string, wanted: string): never;
}

type ConfigValues = Readonly<Record<string, unknown>>;

interface Configs {
    readonly config: JsonObject;
    readonly generationConfig: JsonObject | undefined;
}

interface ConsistencyOptions {
    kind: 'consistency';
    samples?: number;
    answer?: 'text' | 'number';
}

interface Container {
    readonly name: string;
    readonly files: readonly string[];
    readonly claims?: (entry: string) => boolean;
    open(model: ModelFolder): Promise<Checkpoint | undefined>;
    explain?(model: ModelFolder): Promise<AtomoeError | undefined>;
}

interface ContrastOptions {
    kind: 'contrast';
    weak?: RoutingHooks;
    beta?: number;
    alpha?: number;
    strongTemperature?: number;
    weakTemperature?: number;
}

interface Counters {
    buffers: number;
    bindGroups: number;
    pipelines: number;
    submits: number;
    dispatches: number;
    copies: number;
    maps: number;
}

interface CpuExpertWeights {
    units(bank: number): number;
    unit(bank: number, unit: number): Readonly<Record<string, Float32Array>>;
}

declare const DTYPE_BYTES: {
    readonly F4: 0.5;
    readonly F6_E2M3: 0.75;
    readonly F6_E3M2: 0.75;
    readonly BOOL: 1;
    readonly U8: 1;
    readonly I8: 1;
    readonly F8_E4M3: 1;
    readonly F8_E5M2: 1;
    readonly F8_E8M0: 1;
    readonly F8_E4M3FNUZ: 1;
    readonly F8_E5M2FNUZ: 1;
    readonly U16: 2;
    readonly I16: 2;
    readonly F16: 2;
    readonly BF16: 2;
    readonly U32: 4;
    readonly I32: 4;
    readonly F32: 4;
    readonly U64: 8;
    readonly I64: 8;
    readonly F64: 8;
    readonly C64: 8;
};

interface DeclaredTokens {
    readonly added: readonly AddedToken[];
    readonly special: ReadonlySet<string>;
    readonly named: Readonly<Record<string, string | readonly string[]>>;
}

interface DecodedToken {
    readonly id: number;
    readonly logprob?: number | undefined;
    readonly alternatives?: readonly TokenChance[];
    readonly routes?: TokenRoutes | undefined;
}

interface Decoder {
    readonly prompt: readonly number[];
    readonly state: DecodingState;
    readonly first: Prediction;
    readonly options: SamplingOptions;
    readonly vocab: number;
    readonly hidden: number;
    readonly routed: readonly number[];
    readonly contextTokens: number;
    readonly draftTokens: number;
    readonly isThinking: boolean;
    open(): Promise<DecodingState>;
    choose(prediction: Prediction, choice?: {
        logits?: Float32Array;
        seed?: number;
    }): DecodedToken;
    random(counter: number, seed?: number): number;
    plainly(state: DecodingState, prediction: Prediction, options?: {
        seed?: number;
    }): AsyncIterable<DecodedToken>;
    embeddings(ids: readonly number[]): Promise<Float32Array<ArrayBuffer>>;
    isEnd(id: number): boolean;
    answerOf(ids: readonly number[]): string;
    report(facts: Readonly<Record<string, number | string>>): void;
}

type DecoderConfig = Readonly<Record<string, unknown>>;

type DecodingName = DecodingOptions['kind'];

type DecodingOption = DecodingName | DecodingOptions | DecodingStrategy;

type DecodingOptions = NgramOptions | ContrastOptions | SoftThinkingOptions | ConsistencyOptions | RewireOptions;

interface DecodingReport {
    readonly strategy: string;
    readonly [fact: string]: number | string;
}

interface DecodingState {
    readonly tokens: number;
    step(input: StepInput): Promise<Prediction>;
    stepAll(ids: readonly number[]): Promise<Prediction[]>;
    hook(hooks: RoutingHooks | undefined): Promise<void>;
    rewind(tokens: number): Promise<void>;
    fork(): Promise<DecodingState>;
    dispose(): void;
}

interface DecodingStrategy {
    readonly name: string;
    readonly needsLogits?: boolean;
    decode(decoder: Decoder): AsyncIterable<DecodedToken>;
}

interface DeltaNetSpec {
    readonly kind: 'deltaNet';
    readonly keyHeads: number;
    readonly keyDim: number;
    readonly heads: number;
    readonly dims: number;
    readonly tiled?: true;
    readonly taps: number;
    readonly input: LinearSpec;
    readonly convolution: string;
    readonly rates: {
        readonly decay: string;
        readonly bias: string;
    };
    readonly norm: string;
    readonly out: LinearSpec;
}

interface DenseSpec extends GatedMlpSpec {
    readonly kind: 'dense';
}

interface DerivedPart {
    readonly tensor: string;
    readonly rows: number;
    readonly cols: number;
    readonly isSummed?: boolean;
}

interface DescribedScoreSpec {
    readonly kind: 'described';
    readonly router: RouterDescription;
    readonly hooks?: HooksDescription;
    readonly tensors: LayerTensors;
    readonly shared: SharedRouting;
    readonly vocab: number;
    readonly layer: number;
    readonly bank: number;
    readonly most: number;
}

interface DetokenizerOptions {
    skipSpecialTokens?: boolean;
    continues?: boolean;
}

type DeviceKind = 'auto' | 'gpu' | 'cpu' | 'reference';

interface DiskReport {
    readonly key: string;
    readonly storedBytes: number;
    readonly totalBytes: number;
    readonly isReadOnly: boolean;
    readonly why: string;
}

interface DiskStorage {
    directories(): Promise<readonly string[]>;
    files(directory: string): Promise<readonly StoredEntry[]>;
    open(directory: string, name: string, access: 'read'): Promise<StoredFile | undefined>;
    open(directory: string, name: string, access: 'write'): Promise<StoredFile>;
    deleteFile(directory: string, name: string): Promise<void>;
    deleteDirectory(directory: string): Promise<void>;
    lock(directory: string): Promise<StorageLock>;
    estimate(): Promise<StorageEstimate>;
    persist(): Promise<boolean>;
}

interface Dispatch {
    readonly program: Program;
    readonly buffers: Readonly<Record<string, Ref>>;
    readonly params: (step: Step) => Readonly<Record<string, number>>;
    readonly grid: (step: Step) => Grid | {
        readonly indirect: Tensor;
        readonly offsetBytes: number;
    };
    readonly isNeeded?: (step: Step) => boolean;
    readonly records?: RecordUse;
    readonly work?: (step: Step) => number;
}

interface DispatchReport {
    readonly label: string;
    readonly kernel: string;
    readonly ms: number | undefined;
}

interface DispatchTime {
    readonly label: string;
    readonly key: string;
    readonly ms: number;
}

interface Drafted extends Model {
    readonly notes: readonly PlanNote[];
    readonly checkpoint: Checkpoint;
    readonly context: ReadContext;
    readonly expertLayers: readonly ExpertLayer[];
    readonly experts: ExpertPlan | undefined;
    readonly numbers: ExpertNumbers | undefined;
    readonly contextTokens: number;
    readonly chunkTokens: number;
    readonly decode: ModelGraph;
    readonly prefill: ModelGraph;
    readonly lossy: Required<LossyOptions>;
}

type Dtype = keyof typeof DTYPE_BYTES;

declare const EXPERT_KINDS: {
    readonly gated: () => Promise<ExpertKind<GatedExpertSpec>>;
    readonly reluSquared: () => Promise<ExpertKind<ReluSquaredExpertSpec>>;
    readonly neuron: () => Promise<ExpertKind<NeuronExpertSpec>>;
};

interface EncodeOptions {
    addSpecialTokens?: boolean;
}

interface Engine extends EngineTools {
    readonly adapter: AdapterReport;
    readonly model: ModelInfo | undefined;
    plan(model: ModelSource, options?: LoadOptions): Promise<ModelPlan>;
    load(model: ModelSource, options?: LoadOptions): Promise<ModelInfo>;
    session(): Session;
    tokenize(prompt: Prompt, options?: PromptOptions): Promise<number[]>;
    detokenize(ids: readonly number[]): Promise<string>;
    score(prompt: Prompt, text: string | readonly number[], options?: ScoreOptions): Promise<ScoredToken[]>;
    memory(): MemoryReport;
    resize(change: Pick<LoadOptions, 'memoryBudget' | 'streaming'>): Promise<ModelPlan>;
    streaming(): Promise<StreamingReport | undefined>;
    readonly chat: {
        readonly completions: ChatCompletions;
    };
    readonly completions: TextCompletions;
    readonly lost: Promise<never>;
    dispose(): void;
}

interface EngineOptions extends LoadOptions {
    device?: DeviceKind | HostDevice;
    gpu?: GpuEntry;
    adapterClass?: AdapterClass;
    model?: ModelSource;
    families?: readonly ModelFamily[];
    containers?: readonly Container[];
    tuning?: TuningMode;
    tuningStore?: TuningStore;
    storage?: DiskStorage | Promise<DiskStorage>;
    kernels?: KernelSource;
    threads?: number;
    startThreads?: StartThreads;
    autoBudget?: AutoBudget;
    streamTesting?: StreamTesting;
    bounds?: Bounds;
    limits?: 'plan' | 'default';
}

interface EngineTools {
    logits(ids: readonly number[], mode?: 'at-once' | 'one-by-one'): Promise<Float32Array>;
    profile(): Promise<readonly DispatchReport[]>;
}

type ErrorCode = 'no-webgpu' | 'limit-too-small' | 'device-lost' | 'out-of-memory' | 'bad-file' | 'unsupported-model' | 'bad-input' | 'context-full' | 'non-finite' | 'network' | 'cors' | 'integrity' | 'storage-full' | 'storage-locked' | 'busy' | 'disposed' | 'shader' | 'internal';

interface ExpertAddress {
    readonly layer: number;
    readonly unit: number;
}

interface ExpertDevice<S extends SlotStore, T extends ExpertSteps> {
    budgetBytes: number;
    hostBytes(slotBytes: number): number;
    openStore(shape: RecordShape, options: StoreOptions): Promise<S>;
    copy(moves: readonly Move<S>[]): void;
    openSteps(streamer: ExpertStreamer<S>, options: StepsOptions): Promise<T>;
}

interface ExpertKind<S extends ExpertSpec = ExpertSpec> {
    readonly kind: S['kind'];
    readonly inWaves: boolean;
    readonly skipsBy: 'id' | 'weight';
    check?(spec: S, label: string): void;
    readonly inPages?: boolean;
    parts(spec: S, hidden: number): Readonly<Record<string, ExpertPart>>;
    readonly together?: readonly string[];
    add(site: MoeSite, x: Tensor, routes: Routes, spec: S): Tensor;
}

type ExpertKindName = keyof typeof EXPERT_KINDS;

interface ExpertLayer {
    readonly experts: number;
    readonly most: number;
    readonly grid: number | undefined;
    readonly inWaves: boolean;
    readonly inPages: boolean;
    readonly parts: Readonly<Record<string, ExpertPart>>;
    readonly together: readonly string[];
    readonly known: ((token: number) => ArrayLike<number>) | undefined;
    readonly knownBy: string | undefined;
}

declare class ExpertMemory<S extends SlotStore = SlotStore, T extends ExpertSteps = ExpertSteps> {
    #private;
    private constructor();
    static open<S extends SlotStore, T extends ExpertSteps>(device: ExpertDevice<S, T>, drafted: Drafted, options: ExpertMemoryOptions): Promise<ExpertMemory<S, T>>;
    get slots(): SlotPlan;
    get isComplete(): boolean;
    get dropped(): number;
    get steps(): T;
    get streamer(): ExpertStreamer<S>;
    get store(): S;
    get forPrompts(): S;
    get tiers(): RecordTiers;
    onMoved(rebind: () => void): void;
    prepareResize(slots: SlotPlan, fewer: ExpertMemoryOptions['fewer'], streaming: StreamingOptions, budgetBytes: number): () => Promise<void>;
    get isLost(): boolean;
    loadAll(onRecord: (sizeBytes: number) => void, signal: AbortSignal | undefined): Promise<void>;
    report(disk: DiskReport | undefined): StreamingReport;
    withAllPresent<R>(run: () => Promise<R>): Promise<R>;
    dispose(): void;
}

interface ExpertMemoryOptions {
    readonly slots: SlotPlan;
    readonly fewer: (slots: SlotPlan) => SlotPlan | undefined;
    readonly streaming: StreamingOptions;
    readonly testing: StreamTesting;
}

interface ExpertNumbers {
    readonly count: number;
    readonly ids: readonly (readonly number[])[];
}

interface ExpertPart {
    readonly rows: ExpertRows;
    readonly shape: readonly [rows: number, cols: number];
    readonly exact?: boolean;
}

interface ExpertPlan extends RecordShape {
    readonly records: number;
    readonly order?: readonly (readonly number[])[];
    readonly expertSizeBytes: number;
    readonly read: (layer: number, unit: number, signal?: AbortSignal) => Promise<Uint8Array<ArrayBuffer>>;
    readonly planes?: RecordPlanes;
    readonly savedBytes?: number;
}

interface ExpertRows {
    readonly tensor: string;
    readonly shape: readonly number[];
    readonly start?: number;
    readonly count?: number;
    readonly columns?: {
        readonly start: number;
        readonly step: number;
    };
    readonly transposed?: boolean;
}

interface ExpertSpec {
    readonly kind: string;
}

interface ExpertSteps {
    readonly counters: Readonly<RunAheadCounters>;
    dispose(): void;
}

declare class ExpertStreamer<S extends SlotStore = SlotStore> {
    #private;
    readonly store: S;
    readonly scratch: S | undefined;
    ahead: Prefetches | undefined;
    prompt: PromptPrefetch | undefined;
    constructor(options: StreamerOptions<S>);
    get tiers(): RecordTiers;
    get topK(): number;
    get serial(): number;
    recall(): number[];
    get isComplete(): boolean;
    get counters(): StreamCounters;
    describe(states: {
        readonly absent: number;
        readonly resident: number;
        readonly loading: number;
        readonly predicted: number;
    }): Uint8Array<ArrayBuffer>;
    isPresent(layer: number, unit: number): boolean;
    wasReady(layer: number, units: Uint32Array, count: number, serial: number): boolean;
    demand(layer: number, units: Uint32Array, count: number, signal?: AbortSignal): Promise<void> | undefined;
    prefetch(layer: number, units: Uint32Array, count: number, signal?: AbortSignal): Promise<void> | undefined;
    policy(layer: number): Policy;
    predict(layer: number, units: Uint32Array, count: number): void;
    stream(layer: number, uses: Uint32Array, tokens: number, canSplit: boolean, wave: () => Promise<void> | void, signal?: AbortSignal): Promise<void>;
    close(): void;
    byHeat(layer: number): readonly number[];
    nextAbsent(): ExpertAddress | undefined;
    admit(layer: number, unit: number, signal?: AbortSignal): Promise<void>;
}

interface ExpertWeights {
    readonly unitsPerLayer: number;
    readonly table: Ref;
    units(bank: number): number;
    layout(bank: number): RecordLayout;
    pools(bank: number): readonly Ref[];
}

interface FactorsScaling extends ScalingFactors {
    readonly kind: 'factors';
    readonly beyond?: ScalingFactors & {
        readonly positions: number;
    };
}

type Feature = 'shader-f16' | 'subgroups' | 'timestamp-query';

interface Field<T> {
    read(value: unknown, path: string): T;
    readonly absent?: {
        readonly value: T;
    };
}

type Fields = Readonly<Record<string, Field<unknown>>>;

interface FileSource {
    readonly name: string;
    readonly sizeBytes: number;
    readonly validator?: string | undefined;
    readonly isRanged?: boolean | undefined;
    read(offsetBytes: number, sizeBytes: number, options?: ReadOptions): Promise<Uint8Array<ArrayBuffer>>;
    forget?(offsetBytes: number, sizeBytes: number): void;
    dispose?(): void;
}

interface FileTensors {
    readonly label: string;
    names(): Iterable<string>;
    has(name: string): boolean;
}

type FinishReason = 'stop' | 'length' | 'abort';

type FloatDtype = 'F32' | 'F16' | 'BF16';

interface FolderSource {
    readonly label: string;
    readonly identity?: string;
    readonly advice?: string;
    readonly entry?: string;
    open(name: string, options?: OpenFileOptions): Promise<FileSource | undefined>;
}

type FormatName = BuiltInFormat | (string & {});

interface FormatShaders {
    readonly unpack: FormatSource;
    readonly dot: FormatSource;
    readonly step: FormatSource;
    readonly sided?: boolean;
}

type FormatSource = string | readonly {
    readonly name: string;
    readonly text: string;
}[];

declare const GLU_ACTIVATIONS: readonly ["silu", "gelu-tanh", "gelu", "relu", "relu2", "clamped-swiglu"];

interface GateIo {
    readonly logits: Tensor;
    readonly bias: Weight;
    readonly ids: Tensor;
    readonly weights: Tensor;
    readonly experts: number;
    readonly topK: number;
    readonly rule: RouterRule;
    readonly factors?: Weight | undefined;
}

interface GatedExpertSpec {
    readonly kind: 'gated';
    readonly width: number;
    readonly activation: GluActivation;
    readonly gate: ExpertRows;
    readonly up: ExpertRows;
    readonly down: ExpertRows;
    readonly biases?: {
        readonly gate: ExpertRows;
        readonly up: ExpertRows;
        readonly down: ExpertRows;
    };
}

interface GatedMlpSpec {
    readonly width: number;
    readonly activation: Activation;
    readonly gateUp: LinearSpec;
    readonly down: LinearSpec;
}

type GenerateEvent =
{
    kind: 'library';
    name: 'xgrammar';
    isLoaded: boolean;
} | {
    kind: 'prefill';
    doneTokens: number;
    totalTokens: number;
} | {
    kind: 'token';
    id: number;
    text: string;
    reasoning?: string;
    atMs: number;
    routes?: TokenRoutes;
    logprob?: number;
    token?: TokenLogprob;
    alternatives?: readonly TokenLogprob[];
} | {
    kind: 'done';
    reason: FinishReason;
    text: string;
    reasoning?: string;
    toolCalls?: readonly ChatToolCall[];
    seed: number;
    usage: Usage;
    timings: Timings;
    trace?: RoutingTrace;
    lossy?: LossyReport;
    decoding?: DecodingReport;
};

interface GenerateOptions extends ReplyConstraints {
    maxTokens?: number;
    temperature?: number;
    topK?: number;
    topP?: number;
    minP?: number;
    repetitionPenalty?: number;
    seed?: number;
    stop?: readonly string[];
    tools?: readonly ChatTool[];
    templateOptions?: Readonly<Record<string, unknown>>;
    continueFinalMessage?: boolean;
    logprobs?: number;
    reusePrefix?: boolean;
    routes?: boolean;
    trace?: boolean;
    hooks?: RoutingHooks;
    tensors?: RequestTensors;
    decoding?: DecodingOption;
    signal?: AbortSignal;
}

type GgufMetadata = ReadonlyMap<string, GgufValue>;

type GgufValue = string | number | boolean | readonly GgufValue[];

type GluActivation = (typeof GLU_ACTIVATIONS)[number];

declare class Gpu {
    #private;
    readonly device: GPUDevice;
    readonly name: string;
    readonly adapterClass: AdapterClass;
    readonly features: ReadonlySet<Feature>;
    readonly limits: Limits;
    readonly pipelines: {
        compile: (program: Program) => Promise<Pipeline>;
    };
    readonly counters: Counters;
    budgetBytes: number;
    peakBytes: number;
    readonly lost: Promise<never>;
    private constructor();
    static open({ gpu, features, limits, adapterClass: wanted, }?: OpenOptions): Promise<Gpu>;
    static adopt(device: HostDevice, wanted?: AdapterClass): Gpu;
    get isLost(): boolean;
    assertUsable(): void;
    createBuffer(options: BufferOptions): Buffer;
    allocating<T>(what: string, create: () => T): Promise<T>;
    attempting<T>(what: string, run: () => T): Promise<T>;
    write(buffer: Buffer, offsetBytes: number, bytes: ArrayBufferView<ArrayBuffer>): void;
    read(buffer: Buffer, offsetBytes?: number, sizeBytes?: number): Promise<ArrayBuffer>;
    map(buffer: Buffer, sizeBytes: number): Promise<void>;
    idle(): Promise<void>;
    usedBytes(kind?: MemoryKind): number;
    forget(buffer: Buffer): void;
    withoutBudget<T>(run: () => Promise<T>): Promise<T>;
    dispose(): void;
}

type GpuEntry = GPU;

interface Graph {
    readonly nodes: readonly Node[];
    readonly tensors: readonly Tensor[];
    readonly weights: readonly Weight[];
    readonly ids: Tensor;
}

declare class GraphBuilder {
    #private;
    readonly ids: Tensor;
    readonly requested: RequestedTensor[];
    tensor(name: string, shape: TensorShape): Tensor;
    matrix(name: string, rows: number, cols: number, ...parts: readonly (TensorRows | string)[]): Weight;
    exact(name: string, rows: number, cols: number, ...parts: readonly (TensorRows | string)[]): Weight;
    computed(name: string, rows: number, cols: number, values: () => Float32Array<ArrayBuffer>): Weight;
    derived<const P extends Readonly<Record<string, DerivedPart | undefined>>>(name: string, rows: number, cols: number, parts: P, values: (parts: {
        readonly [N in keyof P]?: Float32Array;
    }) => Float32Array<ArrayBuffer>): Weight;
    add(node: Node): void;
    when(isNeeded: (step: Step) => boolean, build: () => void): void;
    build({ routes, ...outputs }: Partial<ModelOutputs> & Pick<ModelOutputs, 'logits'>): ModelGraph;
    buildPart(): Graph;
}

interface GraphPurpose {
    readonly logits: 'last' | 'all';
    readonly sample: boolean;
    readonly contextTokens: number;
    readonly lookahead?: number;
    readonly scores?: boolean;
    readonly skipBelow?: number;
    readonly hooks?: OpenHooks | undefined;
}

type Grid = readonly [x: number, y: number, z: number];

declare class Handed<T> {
    #private;
    before(builder: GraphBuilder, name: string, { at, of }: RouterPlace): T | undefined;
    add(builder: GraphBuilder, name: string, { at, of }: RouterPlace, value: T): void;
}

interface Heat {
    readonly store: {
        readonly layers: number;
    };
    byHeat(layer: number): readonly number[];
    isPresent(layer: number, unit: number): boolean;
}

interface HookInputs {
    readonly edits: Tensor;
    readonly choice: Tensor;
}

type HooksDescription = Read<typeof hooks>;

type HostArray = Float32Array | Uint32Array;

type HostDevice = GPUDevice;

interface HostTensor {
    readonly shape: readonly number[];
    readonly values: Float32Array<ArrayBuffer>;
    readonly ternary?: TernaryParts | undefined;
}

interface HubChoice {
    readonly source: string;
    readonly name: string;
    readonly sizeBytes: number;
    readonly leastBits: number;
    readonly isProposed: boolean;
}

interface HubFile {
    readonly name: string;
    readonly sizeBytes: number;
    readonly quantisation: string | undefined;
}

interface HubModel extends HubName {
    readonly license: string | undefined;
    readonly hasCheckpoint: boolean;
    readonly checkpointBytes: number;
    readonly ggufFiles: readonly HubFile[];
    readonly paths: readonly string[];
    readonly proposed: HubFile | undefined;
}

interface HubName {
    readonly repo: string;
    readonly revision: string;
    readonly file: string | undefined;
}

interface HubOptions {
    readonly hubUrl?: string | undefined;
    readonly headers?: Readonly<Record<string, string>> | undefined;
    readonly fetch?: typeof fetch | undefined;
    readonly signal?: AbortSignal | undefined;
}

type InputDescription = Read<typeof input>;

type InputValues = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

type JsonObject = Readonly<Record<string, unknown>>;

interface JsonSchemaFormat {
    readonly name?: string;
    readonly description?: string;
    readonly schema?: Readonly<Record<string, unknown>>;
    readonly strict?: boolean | null;
}

interface Kernel<B extends Record<string, Access> = Record<string, Access>, P extends Record<string, ParamType> = Record<string, ParamType>, V extends Variant = Variant, S = never> {
    readonly name: string;
    readonly bindings: B;
    readonly params: P;
    readonly variants: readonly V[];
    readonly parts: (variant: V) => readonly Part[];
    readonly overrides: (variant: V) => Readonly<Record<string, number>>;
    readonly features?: (variant: V) => readonly Feature[];
    readonly key: (variant: V) => string;
    readonly grid: (size: S, variant: V) => Grid;
    readonly bindingsOf?: (variant: V) => Bindings;
}

type KernelSource = (name: BuiltName) => Promise<Uint8Array<ArrayBuffer>>;

interface LatentAttentionSpec {
    readonly kind: 'latentAttention';
    readonly heads: number;
    readonly nope: number;
    readonly valueDim: number;
    readonly rank: number;
    readonly scale: number;
    readonly eps: number;
    readonly rope: RopeSpec;
    readonly query: LinearSpec;
    readonly queryLatent?: {
        readonly rank: number;
        readonly down: LinearSpec;
        readonly norm: string;
    };
    readonly latent: LinearSpec;
    readonly norm: string;
    readonly up: string;
    readonly out: LinearSpec;
}

interface LayerHooks {
    readonly bias?: readonly number[];
    readonly steer?: RouteSteer;
    readonly mask?: readonly number[];
    readonly ranks?: readonly number[];
}

interface LayerInputs {
    readonly edits: Float32Array<ArrayBuffer>;
    readonly choice: Uint32Array<ArrayBuffer>;
}

interface LayerNormSpec {
    readonly gain: string;
    readonly shift: string;
}

type LayerRouting = object | readonly (object | null)[] | ((layer: number) => object | null | undefined);

interface LayerSpec {
    readonly sublayers: readonly SublayerSpec[];
}

declare class LayerTensors {
    #private;
    constructor(label: string, named: ReadonlyMap<string, HostTensor>);
    get(reference: TensorReference, scope?: ReferenceScope): HostTensor;
}

type LeveledRecords = Pick<typeof RecordLevels, 'leveledLayout' | 'putPlanes'>;

interface Limits {
    readonly maxBufferSizeBytes: number;
    readonly maxBindingBytes: number;
    readonly maxStorageBuffers: number;
    readonly maxWorkgroupBytes: number;
    readonly maxInvocations: number;
}

interface LinearScoreSpec {
    readonly kind: 'linear';
    readonly weight: string;
    readonly bias?: string;
    readonly multiplier?: number;
}

interface LinearSpec {
    readonly weight: readonly TensorRows[];
    readonly bias?: readonly (TensorRows | string)[];
}

interface LinkState {
    readonly utilisation: number;
    readonly bytesPerMs: number;
}

interface LoadCounters {
    promptLoads: number;
    stallMs: number;
}

interface LoadOptions {
    signal?: AbortSignal;
    onProgress?: (progress: LoadProgress) => void;
    memoryBudget?: number | 'auto';
    contextTokens?: number;
    quantize?: QuantizeFormat;
    expertBits?: 2 | 3 | 4;
    activations?: 'f32' | 'f16' | 'int8';
    streaming?: StreamingOptions;
    lossy?: LossyOptions;
    routing?: LayerRouting;
    diskCache?: boolean;
    headers?: Readonly<Record<string, string>>;
    hubUrl?: string;
    fetch?: typeof fetch;
}

type LoadProgress = {
    kind: 'planning';
}
 | {
    kind: 'downloading';
    doneBytes: number;
    totalBytes: number;
    modelBytes: number;
    file: string;
} | {
    kind: 'compiling';
    donePipelines: number;
    totalPipelines: number;
} | {
    kind: 'tuning';
    doneKernels: number;
    totalKernels: number;
} | {
    kind: 'ready';
};

declare class LocalEngine implements Engine {
    #private;
    readonly adapter: AdapterReport;
    readonly chat: {
        readonly completions: ChatCompletions;
    };
    readonly completions: TextCompletions;
    readonly lost: Promise<never>;
    private constructor();
    static open(given: EngineOptions): Promise<LocalEngine>;
    get model(): ModelInfo | undefined;
    plan(model: ModelSource, given?: LoadOptions): Promise<ModelPlan>;
    load(model: ModelSource, given?: LoadOptions): Promise<ModelInfo>;
    resize(given: Pick<LoadOptions, 'memoryBudget' | 'streaming'>): Promise<ModelPlan>;
    streaming(): Promise<StreamingReport | undefined>;
    session(): Session;
    tokenize(prompt: Prompt, options?: PromptOptions): Promise<number[]>;
    detokenize(ids: readonly number[]): Promise<string>;
    score(...given: Parameters<Engine['score']>): Promise<ScoredToken[]>;
    logits(ids: readonly number[], mode?: 'at-once' | 'one-by-one'): Promise<Float32Array>;
    profile(): Promise<readonly DispatchReport[]>;
    memory(): MemoryReport;
    get runner(): Runner;
    get tokenizer(): Tokenizer | undefined;
    get closed(): Promise<void>;
    dispose(): void;
}

interface LossyOptions {
    skipBelow?: number;
    dropColdBelow?: number;
}

interface LossyReport {
    readonly skipBelow: number;
    readonly dropColdBelow: number;
    readonly dropped: number;
    readonly activations?: 'int8';
}

interface LostTensor {
    readonly file: string;
    readonly isFileMissing: boolean;
}

interface LowerContext {
    readonly maxTokens: number;
    readonly scalar: Scalar;
    readonly subgroups: boolean;
    readonly limits: Limits;
    readonly adapterClass: AdapterClass;
    readonly contextTokens: number;
    readonly experts: ExpertWeights | undefined;
    parts(weight: Weight): readonly MatrixPart[];
    readonly mostMultiplyAdds: number;
    scratch(name: string, shape: TensorShape): Tensor;
    choose<V extends Variant>(kernel: Choosable<V>, candidates: readonly V[], shape: string, make: (variant: V) => Dispatch): Dispatch;
    choosePieces<V extends Variant>(kernel: Choosable<V>, candidates: readonly V[], shape: string, make: (variant: V) => readonly Dispatch[]): readonly Dispatch[];
    chooseWay(name: string, shape: string, ways: Readonly<Record<string, () => readonly Dispatch[]>>): readonly Dispatch[];
}

declare const MIXERS: {
    readonly attention: () => Promise<Mixer<AttentionSpec>>;
    readonly dense: () => Mixer<DenseSpec>;
    readonly biasedAttention: () => Promise<Mixer<BiasedAttentionSpec>>;
    readonly latentAttention: () => Promise<Mixer<LatentAttentionSpec>>;
    readonly deltaNet: () => Promise<Mixer<DeltaNetSpec>>;
    readonly stateSpace: () => Promise<Mixer<StateSpaceSpec>>;
    readonly shortConv: () => Promise<Mixer<ShortConvSpec>>;
};

type MakeNode<Io extends object> = (label: string, io: Io) => Node;

type MakePolicy = (shape: PolicyShape) => Policy;

interface MatrixPart extends WeightPart {
    readonly ref: Ref;
    readonly format: FormatName;
    readonly scales: number;
}

type MaybePromise<T> = T | Promise<T>;

type MemoryKind = 'weights' | 'experts' | 'kv-cache' | 'activations' | 'staging';

interface MemoryNeeds {
    readonly whole: number;
    readonly streamed: number;
}

interface MemoryReport {
    readonly totalBytes: number;
    readonly weightsBytes: number;
    readonly expertsBytes: number;
    readonly kvCacheBytes: number;
    readonly activationsBytes: number;
    readonly stagingBytes: number;
}

interface Mixer<S extends BlockSpec = BlockSpec> {
    readonly kind: S['kind'];
    state?(spec: S): readonly StateSpec[];
    check?(spec: S, label: string): void;
    add(site: Site, x: Tensor, spec: S, states: States): Tensor;
}

type MixerName = keyof typeof MIXERS;

interface Model {
    readonly family: ModelFamily;
    readonly spec: ModelSpec;
    readonly blocks: Blocks;
}

interface ModelFamily extends ConfigFamily {
    readonly blocks?: OwnBlocks;
    readonly build?: (spec: ModelSpec, purpose: GraphPurpose, builder: GraphBuilder, blocks: Blocks) => ModelGraph;
}

type ModelFile = FileSource;

type ModelFiles = FolderSource;

interface ModelFolder {
    readonly folder: FolderSource;
    readonly options: OpenOptions;
    configs(): Promise<Configs>;
}

interface ModelGraph extends Graph, ModelOutputs {
}

interface ModelInfo {
    readonly label: string;
    readonly family: string;
    readonly plan: ModelPlan;
    readonly hasChatTemplate: boolean;
    readonly experts: {
        readonly layers: number;
        readonly perLayer: number;
        readonly grid?: number;
        readonly original?: ExpertNumbers;
    };
}

interface ModelOutputs {
    readonly routes: readonly RouteOutputs[];
    readonly logits: Tensor;
    readonly record?: Tensor | undefined;
    readonly embedded?: Tensor | undefined;
    readonly requested?: readonly RequestedTensor[];
}

interface ModelPlan {
    readonly family: string;
    readonly layers: number;
    readonly hidden: number;
    readonly vocab: number;
    readonly parameters: number;
    readonly experts: number;
    readonly expertsPerToken: number;
    readonly contextTokens: number;
    readonly license?: string;
    readonly bytes: {
        readonly download: number;
        readonly dense: number;
        readonly oneExpert: number;
        readonly allExperts: number;
        readonly kvCache: number;
        readonly activations: number;
        readonly staging: number;
        readonly experts: number;
        readonly perToken: number;
        readonly gpuTotal: number;
        readonly least: number;
    };
    readonly streams: boolean;
    readonly unitsPerLayer: number;
    readonly slotsPerLayer: number;
    readonly cacheRatio: number;
    readonly fits: boolean;
    readonly why: string;
    readonly adapter: AdapterReport;
    readonly notes: readonly PlanNote[];
    readonly refusedKernels: readonly RefusedKernel[];
}

type ModelSource = string | readonly File[] | ModelFiles;

interface ModelSpec {
    readonly family: string;
    readonly vocab: number;
    readonly hidden: number;
    readonly eps: number;
    readonly gainOffset?: number;
    readonly maxContextTokens: number;
    readonly layers: readonly LayerSpec[];
    readonly skipped?: readonly string[];
    readonly embedding: string;
    readonly embeddingMultiplier: number;
    readonly residualMultiplier: number;
    readonly norm: NormSpec;
    readonly head: string;
    readonly headBias?: string;
    readonly headColumnEps?: number;
    readonly logitsMultiplier: number;
    readonly logitsCap?: number;
    readonly bosId: number | undefined;
    readonly eosIds: readonly number[];
}

declare class MoeSite extends Site {
    #private;
    readonly experts: number;
    readonly bank: number;
    readonly hooks: RouterHooks | undefined;
    constructor(building: Building, label: string, place: {
        readonly experts: number;
        readonly bank: number;
        readonly name: string;
        readonly hooks?: RouterHooks | undefined;
    });
    routes(most: number): Routes;
    scoredRoutes(most: number): Routes;
}

interface MoeSpec<Router extends RouterSpec = RouterSpec, Expert extends ExpertSpec = ExpertSpec> {
    readonly kind: 'moe';
    readonly experts: number;
    readonly router: Router;
    readonly expert: Expert;
    readonly post?: string;
    readonly shared?: SharedSpec;
}

interface Move<S extends SlotStore> {
    readonly layer: number;
    readonly from: S;
    readonly slot: number;
    readonly to: S;
    readonly toSlot: number;
}

declare const NO_MEMORY: MemoryReport;

interface NeuronExpertSpec {
    readonly kind: 'neuron';
    readonly activation: Activation;
    readonly input: ExpertRows;
    readonly output: ExpertRows;
}

interface NgramOptions {
    kind: 'ngram';
    draft?: number;
    longest?: number;
}

interface Node {
    readonly op: string;
    readonly label: string;
    readonly io: object;
    readonly reads: readonly (Tensor | Weight)[];
    readonly writes: readonly Tensor[];
    readonly isNeeded?: (step: Step) => boolean;
    readonly lower: (context: LowerContext) => readonly Dispatch[];
    readonly run?: (context: RunContext) => void;
}

type NormSpec = string | LayerNormSpec;

interface OpDefinition<Io extends object> {
    readonly name: string;
    readonly reads: (io: Io) => readonly (Tensor | Weight | undefined)[];
    readonly writes: (io: Io) => readonly Tensor[];
    readonly run: (context: RunContext, io: Io) => void;
    readonly lower: (context: LowerContext, io: Io) => readonly Dispatch[];
}

interface OpenFileOptions {
    signal?: AbortSignal | undefined;
    patience?: 'short' | undefined;
    isOptional?: boolean | undefined;
    mostBytes?: number | undefined;
}

type OpenHooks = (builder: GraphBuilder, layer: {
    readonly bank: number;
    readonly experts: number;
    readonly topK: number;
}) => RouterHooks;

interface OpenOptions {
    readonly signal?: AbortSignal | undefined;
    readonly accept?: (config: JsonObject, label: string) => void;
}

interface OpenOptions {
    gpu?: GpuEntry | undefined;
    features?: readonly Feature[];
    limits?: 'default' | 'adapter' | Partial<Limits>;
    adapterClass?: AdapterClass | undefined;
}

interface OpenOptions {
    readonly device?: DeviceKind;
    readonly threads?: number;
    readonly adapterClass?: AdapterReport['adapterClass'];
    readonly tuning?: 'auto' | 'off';
    readonly autoBudget?: AutoBudget;
    readonly headers?: Readonly<Record<string, string>>;
}

type OptionalKeys<F extends Fields> = {
    [K in keyof F]: undefined extends Read<F[K]> ? K : never;
}[keyof F];

interface OwnBlocks {
    readonly mixers?: readonly Mixer[];
    readonly routers?: readonly Router[];
    readonly experts?: readonly ExpertKind[];
}

declare const POLICY_NAMES: readonly ['ema', 'lru', 'lfu', 'lfru', 'random', 'segment-lookahead'];

type ParamType = 'u32' | 'i32' | 'f32';

type Params = Readonly<Record<string, ParamType>>;

type Parity = 0 | 1;

interface Part {
    readonly name: string;
    readonly text: string | (() => Promise<string>);
}

interface Part<Role extends string> {
    readonly name: string;
    readonly role: Role;
    readonly wgsl: string;
}

interface Pipeline {
    readonly program: Program;
    readonly handle: GPUComputePipeline;
    readonly layout: GPUBindGroupLayout;
}

interface PlanNote {
    readonly kind: 'no-ranges' | 'no-dense-hashes' | 'memory-halved' | 'generation-config' | 'no-end' | 'no-kernels' | 'expanded' | 'fewer-bits';
    readonly message: string;
}

interface Plane {
    readonly name: string;
    readonly offsetBytes: number;
    readonly sizeBytes: number;
}

interface Policy {
    expect?(uses: Uint32Array): void;
    begin(units: Uint32Array, count: number): void;
    use(unit: number): void;
    observe(uses: Uint32Array, tokens: number): void;
    score(unit: number): number;
}

type PolicyName = (typeof POLICY_NAMES)[number];

interface PolicyShape {
    readonly units: number;
    readonly topK: number;
    readonly layer: number;
    readonly seed: number;
}

interface PoolPlan extends SlotCounts {
    readonly poolsPerLayer: 1 | 4;
    readonly layersPerGroup: number;
    readonly slotsPerPool: number;
    readonly poolSlots: readonly number[];
}

interface PostNormSpec {
    readonly gain: string;
    readonly factor?: string;
}

interface Prediction {
    readonly position: number;
    readonly best: number;
    readonly logits: Float32Array | undefined;
    likeliest(count: number): TokenChance[];
    logprob(id: number): number;
}

declare class Prefetches {
    #private;
    constructor(streamer: ExpertStreamer);
    add(layer: number, units: Uint32Array, count: number, signal?: AbortSignal): void;
    decide(layer: number, units: UnitsOf, count: number, signal?: AbortSignal): void;
    has(layer: number): boolean;
    isComing(layer: number): boolean;
    take(layer: number, units: Uint32Array, count: number): Promise<void> | undefined;
    settle(): Promise<void>;
}

interface ProductKeysScoreSpec {
    readonly kind: 'productKeys';
    readonly heads: number;
    readonly keySize: number;
    readonly query: string;
    readonly queryBias?: string;
    readonly queryNorm?: AffineNormSpec;
    readonly keysX: string;
    readonly keysY: string;
}

interface ProductScoreSpec {
    readonly kind: 'product';
    readonly rows: TensorRows | string;
    readonly columns: TensorRows | string;
    readonly split?: 'token' | 'prompt';
    readonly rowsNorm?: BatchNormSpec;
    readonly columnsNorm?: BatchNormSpec;
}

interface Program {
    readonly key: string;
    readonly bindings: Bindings;
    readonly params: Params;
    readonly parts: readonly Part[];
    readonly overrides: Readonly<Record<string, number>>;
    readonly features: readonly Feature[];
}

type Prompt = string | readonly number[] | readonly ChatMessage[];

type PromptOptions = Pick<GenerateOptions, 'tools' | 'templateOptions' | 'continueFinalMessage'>;

declare class PromptPrefetch {
    #private;
    constructor(streamer: ExpertStreamer, uses: (layer: number) => Uint32Array, signal: AbortSignal | undefined);
    decide(layer: number, uses: Uint32Array): void;
    begin(layer: number): void;
    take(layer: number, unit: number): Promise<Uint8Array<ArrayBuffer>> | undefined;
}

declare const QUANTIZED: {
    readonly q8_0: () => Promise<{
        readonly name: "q8_0";
        readonly block: 32;
        readonly unit: 16;
        readonly planes: (rows: number, cols: number) => readonly Plane[];
        readonly wgsl: {
            readonly unpack: string;
            readonly dot: string;
            readonly step: string;
        };
        readonly simd: 3;
        readonly decode: (bytes: Uint8Array<ArrayBuffer>, rows: number, cols: number) => Float32Array<ArrayBuffer>;
        readonly encode: (values: Float32Array, rows: number, cols: number) => Uint8Array<ArrayBuffer>;
        readonly repack: (source: Uint8Array<ArrayBufferLike>, rows: number, cols: number, into?: Uint8Array<ArrayBuffer> | undefined) => Uint8Array<ArrayBuffer>;
    }>;
    readonly q4_0: () => Promise<{
        readonly name: "q4_0";
        readonly block: 32;
        readonly unit: 32;
        readonly planes: (rows: number, cols: number) => readonly Plane[];
        readonly wgsl: {
            readonly unpack: string;
            readonly dot: string;
            readonly step: string;
        };
        readonly simd: 4;
        readonly decode: (bytes: Uint8Array<ArrayBuffer>, rows: number, cols: number) => Float32Array<ArrayBuffer>;
        readonly encode: (values: Float32Array, rows: number, cols: number) => Uint8Array<ArrayBuffer>;
        readonly repack: (source: Uint8Array<ArrayBufferLike>, rows: number, cols: number, into?: Uint8Array<ArrayBuffer> | undefined) => Uint8Array<ArrayBuffer>;
    }>;
    readonly nested4: () => Promise<WeightFormat>;
    readonly nested3: () => Promise<WeightFormat>;
    readonly nested2: () => Promise<WeightFormat>;
};

declare const QUANTIZED_FILES: {
    readonly q4_k: () => Promise<WeightFormat>;
    readonly q5_k: () => Promise<WeightFormat>;
    readonly q6_k: () => Promise<WeightFormat>;
    readonly q3_k: () => Promise<WeightFormat>;
    readonly q2_k: () => Promise<WeightFormat>;
    readonly q4_1: () => Promise<WeightFormat>;
    readonly q5_0: () => Promise<WeightFormat>;
    readonly q5_1: () => Promise<WeightFormat>;
    readonly mxfp4: () => Promise<WeightFormat>;
    readonly nvfp4: () => Promise<WeightFormat>;
    readonly iq4_nl: () => Promise<WeightFormat>;
    readonly iq4_xs: () => Promise<WeightFormat>;
    readonly iq3_s: () => Promise<WeightFormat>;
    readonly iq3_xxs: () => Promise<WeightFormat>;
    readonly iq2_s: () => Promise<WeightFormat>;
    readonly iq2_xs: () => Promise<WeightFormat>;
    readonly iq2_xxs: () => Promise<WeightFormat>;
    readonly iq1_m: () => Promise<WeightFormat>;
    readonly iq1_s: () => Promise<WeightFormat>;
    readonly tq2_0: () => Promise<WeightFormat>;
    readonly tq1_0: () => Promise<WeightFormat>;
    readonly f4_g16: () => Promise<WeightFormat>;
    readonly f8_g128: () => Promise<WeightFormat>;
    readonly i8_g128: () => Promise<WeightFormat>;
    readonly u4_g32: () => Promise<WeightFormat>;
};

type QkNorm = 'none' | 'head' | 'headAndValue' | 'vector' | 'rotated';

type QuantizeFormat = QuantizedFormat | (string & {});

type QuantizedFormat = keyof typeof QUANTIZED;

declare const ROUTERS: {
    readonly linear: () => Promise<Router<RouterSpec<LinearScoreSpec>>>;
    readonly product: () => Promise<Router<RouterSpec<ProductScoreSpec>>>;
    readonly described: () => Promise<Router<RouterSpec<DescribedScoreSpec>>>;
    readonly productKeys: () => Promise<Router<RouterSpec<ProductKeysScoreSpec>>>;
    readonly aliased: () => Promise<Router<RouterSpec<AliasedScoreSpec>>>;
    readonly analytic: () => Promise<Router<RouterSpec<AnalyticScoreSpec>>>;
};

type Read = (layer: number, unit: number, signal?: AbortSignal) => Promise<Uint8Array<ArrayBuffer>>;

type Read<F> = F extends Field<infer T> ? T : never;

type ReadAll<F extends Fields> = {
    readonly [K in Exclude<keyof F, OptionalKeys<F>>]: Read<F[K]>;
} & {
    readonly [K in OptionalKeys<F>]?: Exclude<Read<F[K]>, undefined>;
};

interface ReadContext {
    readonly checkpoint: Checkpoint;
    readonly quantize?: QuantizeFormat | undefined;
    readonly signal?: AbortSignal | undefined;
}

interface ReadOptions {
    signal?: AbortSignal | undefined;
    onProgress?: ((doneBytes: number) => void) | undefined;
    isPeek?: boolean | undefined;
}

type ReadTagged<K extends Readonly<Record<string, Fields>>, Tag extends string, Common extends Fields = Record<never, never>> = {
    [N in keyof K]: {
        readonly [T in Tag]: N;
    } & ReadAll<K[N]> & ReadAll<Omit<Common, keyof K[N]>>;
}[keyof K];

interface ReadyRecords {
    readonly layout: RecordLayout;
    readonly layers: number;
    readonly unitsPerLayer: number;
    readonly files: readonly {
        readonly name: string;
        readonly sizeBytes: number;
    }[];
    readonly totalBytes: number;
    readonly unrangedBytes: number;
    readonly order?: readonly (readonly number[])[];
    readonly levels?: RecordLevels;
    read(layer: number, unit: number, options?: {
        signal?: AbortSignal | undefined;
    }): Promise<Uint8Array<ArrayBuffer>>;
    dispose(): void;
}

interface RecordLayout {
    readonly parts: Readonly<Record<string, RecordPart>>;
    readonly sizeBytes: number;
    readonly levels?: readonly number[];
}

interface RecordLevels {
    readonly ends: readonly number[];
    read(layer: number, unit: number, levels: {
        readonly first: number;
        readonly end: number;
    }, options?: {
        signal?: AbortSignal | undefined;
    }): Promise<Uint8Array<ArrayBuffer>>;
}

interface RecordPart {
    readonly format: FormatName;
    readonly rows: number;
    readonly cols: number;
    readonly offsetBytes: number;
    readonly planes?: readonly number[];
}

interface RecordPlanes {
    readonly baseBytes: number;
    readonly readBase: Read;
    readonly readRest: Read;
    readonly open: (options: BaseOptions) => BaseRecords;
}

interface RecordShape extends StoreShape {
    units(layer: number): number;
    layout(layer: number): RecordLayout;
}

declare class RecordTiers {
    #private;
    readonly counters: TierCounters;
    readonly recordBytes: number;
    readonly mostReads: number;
    readonly bases: BaseRecords | undefined;
    constructor(options: TierOptions);
    get heldBytes(): number;
    link(nowMs?: number): LinkState;
    isPending(layer: number, unit: number): boolean;
    peek(layer: number, unit: number): Uint8Array<ArrayBuffer> | undefined;
    read(layer: number, unit: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
    guess(layer: number, unit: number): Promise<Uint8Array<ArrayBuffer>>;
    done(record: Uint8Array<ArrayBuffer>): void;
    resize(hostBytes: number): void;
    dispose(): void;
}

interface RecordUse {
    readonly bank: number;
    readonly inWaves: boolean;
}

type Ref = Tensor | Weight | WeightPartRef | {
    readonly kind: 'buffer';
    readonly buffer: Buffer;
};

interface ReferenceScope {
    readonly experts?: number | undefined;
    readonly iteration?: number | undefined;
    readonly layer?: number | undefined;
    readonly level?: number | undefined;
}

declare class Refusals {
    #private;
    addPipeline(key: string, reason: string): void;
    addCandidate(choice: string, candidate: string, reason: string): void;
    get list(): readonly {
        readonly kernel: string;
        readonly reason: string;
    }[];
    hasPipeline(key: string): boolean;
    remaining<W extends () => readonly {
        readonly program: {
            readonly key: string;
        };
    }[]>(choice: string, ways: ReadonlyMap<string, W>): ReadonlyMap<string, W>;
}

interface RefusedKernel {
    readonly kernel: string;
    readonly reason: string;
}

interface ReluSquaredExpertSpec {
    readonly kind: 'reluSquared';
    readonly width: number;
    readonly up: ExpertRows;
    readonly down: ExpertRows;
}

type Repack = (source: Uint8Array, rows: number, cols: number, into?: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;

interface ReplyConstraints {
    presencePenalty?: number;
    frequencyPenalty?: number;
    logitBias?: Readonly<Record<string, number>>;
    responseFormat?: ResponseFormat;
    toolChoice?: ToolChoice;
    parallelToolCalls?: boolean;
}

interface RequestTensor {
    readonly shape: readonly number[];
    readonly values: readonly number[] | Float32Array | Uint32Array;
}

type RequestTensors = Readonly<Record<string, RequestTensor>>;

interface RequestedTensor {
    readonly name: string;
    readonly tensor: Tensor;
    readonly values?: RequestedValues | undefined;
}

type RequestedValues =
{
    readonly kind: 'ids';
    readonly experts: number;
    readonly mask?: readonly number[] | undefined;
}
 | {
    readonly kind: 'labels';
    readonly count: number;
}
 | {
    readonly kind: 'shares';
};

type ResponseFormat = {
    readonly type: 'text' | 'json_object';
} | {
    readonly type: 'json_schema';
    readonly json_schema: JsonSchemaFormat;
} | {
    readonly type: 'regex';
    readonly pattern: string;
} | {
    readonly type: 'grammar';
    readonly grammar: string;
};

interface RestoreReport {
    readonly tokens: number;
    readonly how: 'copied' | 'computed';
    readonly why?: string;
}

interface RewireOptions {
    kind: 'rewire';
    every?: number;
    window?: number;
    tries?: number;
    step?: number;
}

type RopeScaling = {
    readonly kind: 'linear';
    readonly factor: number;
} | FactorsScaling | {
    readonly kind: 'llama3';
    readonly factor: number;
    readonly lowFrequencyFactor: number;
    readonly highFrequencyFactor: number;
    readonly originalPositions: number;
} | {
    readonly kind: 'yarn';
    readonly factor: number;
    readonly originalPositions: number;
    readonly betaFast: number;
    readonly betaSlow: number;
    readonly truncate: boolean;
    readonly amplitude: number;
};

interface RopeSpec {
    readonly theta: number;
    readonly rotaryDim: number;
    readonly style: 'half' | 'pair';
    readonly scaling?: RopeScaling;
}

interface RouteObserver {
    prompt(layer: number, uses: Uint32Array, tokens: number): void;
    token(layer: number, units: Uint32Array, count: number): void;
}

interface RouteOutputs {
    readonly specLayer: number;
    readonly bank: number;
    readonly experts: number;
    readonly ids: Tensor;
    readonly weights: Tensor;
    readonly scores?: Tensor | undefined;
    readonly look: readonly Tensor[];
    readonly decided?: readonly {
        readonly bank: number;
        readonly ids: Tensor;
    }[];
    readonly around?: {
        readonly stream: Tensor;
        readonly routed: Tensor;
    };
    readonly hooks?: HookInputs | undefined;
}

interface RouteReplay {
    readonly trace: RoutingTrace;
    readonly weights?: 'recompute' | 'recorded';
}

interface RouteSteer {
    readonly experts: readonly number[];
    readonly mode?: 'soft' | 'hard';
    readonly strength?: number;
    readonly epsilon?: number;
    readonly deviation?: 'sample' | 'population';
}

interface RoutedLayers {
    readonly inputs: Tensor[];
    readonly decided: Map<number, Routes>;
}

interface Router<S extends RouterSpec = RouterSpec> {
    readonly kind: S['score']['kind'];
    check?(spec: S, label: string, experts: number): void;
    most(spec: S): number;
    grid?(experts: number): number;
    readonly takesHooks?: boolean;
    known?(spec: S): ((token: number) => ArrayLike<number>) | undefined;
    knownBy?(spec: S): string | undefined;
    decidedAt?(spec: S, bank: number): number;
    add(site: MoeSite, x: Tensor, spec: S): Routes;
}

type RouterDescription = Read<typeof router>;

interface RouterGroups {
    readonly count: number;
    readonly keep: number;
    readonly score: SelectName;
}

interface RouterHooks {
    readonly inputs: HookInputs;
    edit(logits: Tensor): void;
    readonly gateNode: MakeNode<GateIo>;
}

type RouterName = keyof typeof ROUTERS;

interface RouterPlace {
    readonly at: number;
    readonly of: number;
}

interface RouterRule {
    readonly score: ScoreName;
    readonly renorm: WeighName;
    readonly eps: number;
    readonly scale: number;
    readonly groups: RouterGroups | null;
    readonly select?: SelectName;
}

interface RouterSpec<Score extends {
    readonly kind: string;
} = {
    readonly kind: string;
}> {
    readonly input?: 'normed' | 'layer';
    readonly norm?: NormSpec;
    readonly score: Score;
    readonly transform?: readonly TransformSpec[];
    readonly select: SelectSpec;
    readonly weigh?: WeighSpec;
}

interface Routes {
    readonly ids: Tensor;
    readonly weights: Tensor;
    readonly scores?: Tensor;
    readonly inputs?: Tensor;
}

interface RoutingHooks {
    readonly all?: LayerHooks;
    readonly layers?: readonly (LayerHooks | null)[];
    readonly replay?: RouteReplay;
}

interface RoutingTrace {
    readonly from?: number;
    readonly tokens: readonly TokenRoutes[];
}

interface RunAheadCounters {
    tokens: number;
    dropped: number;
    aborts: number;
    resumes: number;
    aheadLayers: number;
    syncMs: number;
}

interface RunContext {
    readonly step: Step;
    readonly contextTokens: number;
    readonly experts: CpuExpertWeights | undefined;
    floats(tensor: Tensor): Float32Array;
    words(tensor: Tensor): Uint32Array;
    put(tensor: Tensor, values: HostArray): void;
    weight(weight: Weight): Float32Array;
}

interface Runner {
    readonly experts?: RunnerExperts | undefined;
    readonly tools?: RunnerTools | undefined;
    readonly adapter: AdapterReport;
    readonly contextTokens: number;
    readonly chunkTokens: number;
    openState(): Promise<RunnerState>;
    rewindTo(state: RunnerState, past: number): number;
    readonly replacesStates: boolean;
    copyState(from: RunnerState, to: RunnerState): void;
    stateCopies(): Promise<StateCopies>;
    setSeen(state: RunnerState, ids: Iterable<number>): void;
    prefill(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<void>;
    step(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<StepResult>;
    trace(state: RunnerState): Promise<TokenRoutes[]>;
    embeddings(ids: readonly number[]): Promise<Float32Array<ArrayBuffer>>;
    allLogits(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<Float32Array>;
    memoryReport(): MemoryReport;
    lossyReport(): LossyReport | undefined;
    dispose(): void;
}

type RunnerExperts = Pick<ExpertMemory, 'slots' | 'store' | 'isComplete' | 'steps' | 'streamer' | 'tiers' | 'report' | 'loadAll' | 'prepareResize' | 'isLost'>;

interface RunnerState {
    dispose(): void;
}

interface RunnerTools {
    readonly counters: Readonly<Counters>;
    readonly peakBytes: number;
    readonly dispatches: {
        readonly decode: number;
        readonly prefill: number;
    };
    readonly choices: readonly Choice[];
    beyondBudget<T>(run: () => Promise<T>): Promise<T>;
    readonly refusals: Refusals;
    list(state: RunnerState, request: StepRequest): Omit<DispatchTime, 'ms'>[];
    profile(state: RunnerState, request: StepRequest): Promise<DispatchTime[]>;
}

declare const SCORES: {
    readonly softmax: {
        readonly name: 'softmax';
        readonly role: 'score';
        readonly over: 'row';
        readonly wgsl: string;
        readonly reference: typeof softmax;
    };
    readonly sigmoid: {
        readonly name: 'sigmoid';
        readonly role: 'score';
        readonly over: 'logit';
        readonly wgsl: string;
        readonly reference: (row: Float64Array<ArrayBufferLike>) => void;
    };
    readonly identity: {
        readonly name: 'identity';
        readonly role: 'score';
        readonly over: 'logit';
        readonly wgsl: string;
        readonly reference: () => void;
    };
};

declare const SELECTIONS: {
    readonly all: {
        readonly name: 'all';
        readonly role: 'select';
        readonly over: 'expert';
        readonly wgsl: string;
        readonly reference: () => void;
    };
    readonly max: {
        readonly name: 'max';
        readonly role: 'select';
        readonly over: 'groups';
        readonly wgsl: string;
        readonly reference: (row: Float64Array<ArrayBufferLike>, params: StageParams) => void;
    };
    readonly 'two-best': {
        readonly name: 'two-best';
        readonly role: 'select';
        readonly over: 'groups';
        readonly wgsl: string;
        readonly reference: (row: Float64Array<ArrayBufferLike>, params: StageParams) => void;
    };
};

declare const SLOT_STATES: {
    readonly absent: 0;
    readonly resident: 1;
    readonly loading: 2;
    readonly predicted: 3;
};

declare const STORED: {
    readonly f32: {
        readonly name: "f32";
        readonly block: 4;
        readonly unit: 4;
        readonly storedAs: "F32";
        readonly planes: (rows: number, cols: number) => readonly Plane[];
        readonly wgsl: {
            readonly unpack: string;
            readonly dot: string;
            readonly step: string;
        };
        readonly simd: 0;
        readonly decode: (bytes: Uint8Array<ArrayBuffer>, rows: number, cols: number) => Float32Array<ArrayBuffer>;
        readonly encode: (values: Float32Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
    };
    readonly f16: {
        readonly name: "f16";
        readonly block: 8;
        readonly unit: 8;
        readonly storedAs: "F16";
        readonly planes: (rows: number, cols: number) => readonly Plane[];
        readonly wgsl: {
            readonly unpack: string;
            readonly dot: string;
            readonly step: string;
        };
        readonly simd: 1;
        readonly decode: (bytes: Uint8Array<ArrayBuffer>, rows: number, cols: number) => Float32Array<ArrayBuffer>;
        readonly encode: (values: Float32Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
    };
    readonly bf16: {
        readonly name: "bf16";
        readonly block: 8;
        readonly unit: 8;
        readonly storedAs: "BF16";
        readonly planes: (rows: number, cols: number) => readonly Plane[];
        readonly wgsl: {
            readonly unpack: string;
            readonly dot: string;
            readonly step: string;
        };
        readonly simd: 2;
        readonly decode: (bytes: Uint8Array<ArrayBuffer>, rows: number, cols: number) => Float32Array<ArrayBuffer>;
        readonly encode: (values: Float32Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
    };
};

interface SamplingOptions {
    readonly maxTokens: number;
    readonly temperature: number;
    readonly topK: number;
    readonly topP: number;
    readonly minP: number;
    readonly repetitionPenalty: number;
    readonly seed: number;
    readonly hooks?: RoutingHooks;
}

type Scalar = 'f32' | 'f16';

interface ScalingFactors {
    readonly factors: readonly number[];
    readonly amplitude?: number;
}

type ScoreDescription = ReadTagged<typeof plainScores, 'kind'> | SumScore | ConditionalScore;

type ScoreName = keyof typeof SCORES | (string & {});

interface ScoreOptions {
    logprobs?: number;
    signal?: AbortSignal;
}

interface ScoreStage extends Part<'score'> {
    readonly over: 'logit' | 'row';
    readonly reference: (row: Float64Array, params: StageParams) => void;
}

interface ScoredToken extends TokenLogprob {
    readonly alternatives?: readonly TokenLogprob[];
}

type SelectName = keyof typeof SELECTIONS | (string & {});

interface SelectSpec {
    readonly kind: 'topK';
    readonly k: number;
    readonly bias?: TensorRows | string;
    readonly groups?: {
        readonly count: number;
        readonly keep: number;
        readonly by: 'max' | 'sumOfTopTwo' | (string & {});
    };
}

interface SelectStage extends Part<'select'> {
    readonly over: 'expert' | 'groups';
    readonly reference: (row: Float64Array, params: StageParams) => void;
}

interface Session {
    generate(prompt: Prompt, options?: GenerateOptions): AsyncIterable<GenerateEvent>;
    readonly tokens: number;
    clone(): Promise<Session>;
    save(): Promise<Uint8Array<ArrayBuffer>>;
    restore(saved: Uint8Array, options?: {
        signal?: AbortSignal;
    }): Promise<RestoreReport>;
    reset(): void;
    dispose(): void;
}

declare class SharedRouting {
    #private;
    readonly weights: StoredWeights;
    readonly states: Handed<Tensor>;
    readonly decisions: Handed<Routes>;
    deciding: number | undefined;
    kept(builder: GraphBuilder, name: string, shape: TensorShape): Tensor;
}

interface SharedSpec extends GatedMlpSpec {
    readonly gate?: string;
    readonly norm?: NormSpec;
    readonly post?: string;
}

interface ShortConvSpec {
    readonly kind: 'shortConv';
    readonly taps: number;
    readonly cols: number;
    readonly input: LinearSpec;
    readonly weight: string;
    readonly out: LinearSpec;
}

type SimdBuild = 'plain' | 'relaxed';

declare class Site {
    #private;
    readonly builder: GraphBuilder;
    readonly purpose: GraphPurpose;
    readonly routed: RoutedLayers;
    readonly hidden: number;
    readonly eps: number;
    readonly label: string;
    constructor(building: Building, label: string);
    static first(building: Omit<Building, 'routed'>, label: string): Site;
    at(label: string): Site;
    moe(label: string, place: ConstructorParameters<typeof MoeSite>[2]): MoeSite;
    stream(name: string, shape?: Pick<TensorShape, 'perToken' | 'fixed'>): Tensor;
    gain(name: string, count: number): Weight;
    matrix(linear: LinearSpec, rows: number, cols: number): Weight;
    bias({ bias }: LinearSpec, count: number): Weight | undefined;
}

interface SlotCounts {
    readonly places: number;
    readonly reserved: number;
}

interface SlotPlan {
    readonly streams: boolean;
    readonly places: number;
    readonly reserved: number;
    readonly scratch: number;
    readonly sizeBytes: number;
}

interface SlotStore {
    readonly layers: number;
    readonly unitsPerLayer: number;
    readonly recordBytes: number;
    readonly plan: PoolPlan;
    readonly records: number;
    units(layer: number): number;
    group(layer: number): number;
    home(layer: number, place: number): number;
    write(layer: number, slot: number, record: Uint8Array<ArrayBuffer>): void;
    point(layer: number, unit: number, slot: number | undefined): void;
    slotOf(layer: number, unit: number): number | undefined;
    flush(layer: number): void;
    markAllPresent(): void;
    clear(): void;
    dispose(): void;
}

interface SoftThinkingOptions {
    kind: 'soft-thinking';
    threshold?: number;
    when?: 'sure' | 'unsure';
    tokens?: number;
    within?: 'thoughts' | 'reply';
}

interface SpeculationCounters {
    speculated: number;
    adopted: number;
    wasted: number;
}

type Stage = ScoreStage | SelectStage | WeighStage;

interface StageParams {
    readonly eps: number;
    readonly scale: number;
    readonly groups: number;
    readonly keep: number;
}

type StageRole = Stage['role'];

type StartThreads = (count: number) => Thread[] | Promise<Thread[]>;

type StateBytes = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

interface StateCopies {
    parts(tokens: number): {
        readonly parts: readonly StatePart[];
        readonly scalar: Scalar;
    };
    read(state: RunnerState, tokens: number): Promise<StateBytes>;
    write(state: RunnerState, tokens: number, bytes: StateBytes): void;
}

interface StatePart {
    readonly name: string;
    readonly sizeBytes: number;
}

type StateRewind = 'positions' | 'parity';

interface StateSpaceSpec {
    readonly kind: 'stateSpace';
    readonly heads: number;
    readonly dims: number;
    readonly groups: number;
    readonly states: number;
    readonly taps: number;
    readonly bounds?: readonly [lowest: number, highest: number];
    readonly normGroups: number;
    readonly input: LinearSpec;
    readonly convolution: {
        readonly weight: string;
        readonly bias?: string;
    };
    readonly rates: {
        readonly decay: string;
        readonly skip: string;
        readonly bias: string;
    };
    readonly norm: string;
    readonly out: LinearSpec;
}

type StateSpec = {
    readonly name: string;
    readonly type?: TensorType;
} & ({
    readonly rewind?: 'positions';
    readonly perPosition: number;
} | {
    readonly rewind: 'parity';
    readonly size: number;
});

type States = Readonly<Record<string, Tensor>>;

interface Step {
    readonly tokens: number;
    readonly past: number;
    readonly penalty: number;
    readonly temperature: number;
    readonly candidates: boolean;
    readonly mostMultiplyAdds?: number;
    readonly parity?: Parity;
    readonly lookahead?: number;
    readonly editedBanks?: ReadonlySet<number> | undefined;
    readonly isEmbedded?: boolean;
}

interface StepHooks {
    readonly editedBanks: ReadonlySet<number>;
    readonly layers: readonly (LayerInputs | undefined)[];
    replay?(bank: number, past: number, tokens: number): Uint32Array<ArrayBuffer>;
    known?(bank: number, position: number): readonly number[] | undefined;
}

type StepInput = number | readonly number[] | {
    readonly id: number;
    readonly embedding: Float32Array<ArrayBuffer>;
};

interface StepRequest {
    readonly ids: readonly number[];
    readonly past: number;
    readonly penalty: number;
    readonly temperature: number;
    readonly candidates: boolean;
    readonly routes: boolean;
    readonly hooks?: StepHooks | undefined;
    readonly given?: StepTensors | undefined;
    readonly embedding?: Float32Array<ArrayBuffer> | undefined;
}

interface StepResult {
    readonly best: number;
    readonly candidates: Candidates | undefined;
    readonly routes: TokenRoutes | undefined;
    logits(): Promise<Float32Array>;
}

interface StepTensors {
    values(requested: RequestedTensor, past: number, tokens: number): InputValues;
    row(name: string, position: number): ArrayLike<number> | undefined;
}

interface StepsOptions {
    readonly lookahead: number;
    readonly runAhead: number | 'auto';
    readonly unitExperts: readonly number[];
    readonly mistake: StreamTesting['mistake'];
    readonly dropColdBelow: number;
}

interface StorageEstimate {
    readonly usageBytes: number;
    readonly quotaBytes: number | undefined;
}

interface StorageLock {
    release(): MaybePromise<void>;
}

interface StoreOptions {
    readonly label?: string;
    readonly slots?: SlotCounts;
    readonly isShared?: boolean;
    readonly maxBindingBytes?: number | undefined;
}

interface StoreShape {
    readonly layers: number;
    readonly unitsPerLayer: number;
    readonly recordBytes: number;
}

interface Stored {
    readonly name: string;
    readonly values: Float32Array<ArrayBuffer>;
}

type StoredDtype = Dtype | BlockDtype;

interface StoredEntry {
    readonly name: string;
    readonly sizeBytes: number;
}

interface StoredFile {
    size(): MaybePromise<number>;
    read(into: Uint8Array<ArrayBuffer>, offsetBytes: number): MaybePromise<number>;
    write(bytes: Uint8Array<ArrayBuffer>, offsetBytes: number): MaybePromise<void>;
    truncate(sizeBytes: number): MaybePromise<void>;
    flush(): MaybePromise<void>;
    close(): MaybePromise<void>;
}

interface StoredModel {
    readonly key: string;
    readonly label: string;
    readonly storedBytes: number;
    readonly totalBytes: number;
    readonly isComplete: boolean;
    readonly usedAtMs: number;
}

declare class StoredWeights {
    #private;
    find(name: string, rows: number, cols: number, values: Float32Array<ArrayBuffer>): Stored;
}

interface StreamCounters extends SpeculationCounters, LoadCounters {
    hits: number;
    misses: number;
    prefetched: number;
    evictions: number;
    uploads: number;
}

interface StreamOptions {
    include_usage?: boolean | null | undefined;
    include_obfuscation?: boolean | null | undefined;
}

interface StreamTesting {
    readonly place?: (unit: number, layer: number) => number;
    readonly poison?: number;
    readonly mistake?: (layer: number, units: Uint32Array, count: number) => void;
    readonly delay?: () => Promise<void>;
    readonly observer?: RouteObserver;
    readonly expertBindingBytes?: number;
    readonly link?: () => LinkState;
}

interface StreamerOptions<S extends SlotStore> {
    readonly store: S;
    readonly scratch: S | undefined;
    readonly tiers: RecordTiers;
    readonly topK: number;
    readonly order?: readonly (readonly number[])[] | undefined;
    readonly policy: MakePolicy;
    readonly seed?: number;
    copy(moves: readonly Move<S>[]): void;
    readonly observer?: RouteObserver | undefined;
    readonly poison?: Uint8Array<ArrayBuffer> | undefined;
}

declare class StreamingDetokenizer {
    #private;
    constructor(table: TokenTable, { skipSpecialTokens, continues }?: DetokenizerOptions);
    push(id: number): string;
    flush(): string;
}

interface StreamingOptions {
    start?: 'whole' | 'now';
    policy?: PolicyName | MakePolicy;
    seed?: number;
    lookahead?: 0 | 1 | 2;
    runAhead?: number | 'auto';
    hostBudget?: number;
    slotsPerLayer?: number;
    fill?: boolean;
}

interface StreamingReport {
    readonly layers: number;
    readonly unitsPerLayer: number;
    readonly slotsPerLayer: number;
    readonly cacheRatio: number;
    readonly unitBytes: number;
    readonly units: readonly number[];
    readonly states: Uint8Array;
    readonly isComplete: boolean;
    readonly tokens: number;
    readonly hits: number;
    readonly misses: number;
    readonly prefetched: number;
    readonly evictions: number;
    readonly speculated: number;
    readonly adopted: number;
    readonly wasted: number;
    readonly uploadedBytes: number;
    readonly readBytes: number;
    readonly heldBytes: number;
    readonly stallMs: number;
    readonly syncMs: number;
    readonly aborts: number;
    readonly recall: readonly number[];
    readonly disk: DiskReport | undefined;
}

interface SublayerSpec {
    readonly norm: NormSpec;
    readonly post?: PostNormSpec;
    readonly block: BlockSpec;
    readonly weights?: string;
}

interface SumScore {
    readonly kind: 'sum';
    readonly terms: readonly {
        readonly scale: number;
        readonly score: ScoreDescription;
        readonly input?: InputDescription;
    }[];
}

interface Tensor {
    readonly kind: 'tensor';
    readonly name: string;
    readonly type: TensorType;
    readonly role: TensorRole;
    readonly perToken: number;
    readonly fixed: number;
    readonly perPosition?: number;
    readonly next?: Tensor;
}

interface TensorBytes {
    readonly dtype: StoredDtype;
    readonly shape: readonly number[];
    readonly bytes: Uint8Array<ArrayBuffer>;
}

interface TensorInfo {
    readonly name: string;
    readonly file: string;
    readonly dtype: StoredDtype;
    readonly shape: readonly number[];
    readonly offsetBytes: number;
    readonly sizeBytes: number;
}

interface TensorReadOptions extends ReadOptions {
    rowStart?: number;
    rowCount?: number;
    allowNonFinite?: boolean;
}

type TensorReference = string | readonly TensorReference[] | {
    readonly tensor: TensorReference;
    readonly start: number;
    readonly count?: number;
    readonly step: number;
    readonly axis: number;
    readonly transpose: boolean;
} | {
    readonly gather: TensorReference;
    readonly index: TensorReference;
    readonly transpose: boolean;
    readonly join: boolean;
    readonly axis: number;
} | {
    readonly byExpert: readonly TensorReference[];
} | {
    readonly scaled: TensorReference;
    readonly scale: TensorReference;
    readonly block: readonly number[];
} | {
    readonly ternary: TensorReference;
    readonly scale: TensorReference;
} | {
    readonly planes: {
        readonly base: TensorReference;
        readonly zero: TensorReference;
        readonly scale: TensorReference;
        readonly signs: readonly TensorReference[];
        readonly scales: readonly TensorReference[];
    };
    readonly group: number;
} | {
    readonly left: TensorReference;
    readonly right: TensorReference;
    readonly plus?: TensorReference;
};

type TensorRole = 'input' | 'activation' | 'output' | 'indirect' | 'state';

interface TensorRows {
    readonly tensor: string;
    readonly rowStart?: number;
    readonly rowCount?: number;
    readonly shape?: readonly number[];
}

interface TensorShape extends Partial<Pick<Tensor, 'type' | 'role' | 'perToken' | 'fixed' | 'perPosition'>> {
    readonly rewind?: StateRewind;
}

type TensorType = 'scalar' | 'f32' | 'u32';

interface TernaryParts {
    readonly codes: Float32Array<ArrayBuffer>;
    readonly scales: Float32Array<ArrayBuffer>;
}

interface TextChoice {
    index: number;
    text: string;
    logprobs: TextLogprobs | null;
}

interface TextCompletion extends TextHead {
    choices: (TextChoice & {
        finish_reason: 'stop' | 'length';
        atomoe?: ChatDetails;
    })[];
    usage: ChatCompletionUsage;
}

interface TextCompletionChunk extends TextHead {
    choices: (TextChoice & {
        finish_reason: 'stop' | 'length' | null;
        atomoe?: ChatDetails;
    })[];
    usage?: ChatCompletionUsage | null;
}

interface TextCompletionRequest {
    prompt: string | readonly string[] | readonly number[] | readonly (readonly number[])[] | null;
    model?: string | null | undefined;
    stream?: boolean | null | undefined;
    stream_options?: StreamOptions | null | undefined;
    max_tokens?: number | null | undefined;
    temperature?: number | null | undefined;
    top_p?: number | null | undefined;
    top_k?: number | null | undefined;
    min_p?: number | null | undefined;
    repetition_penalty?: number | null | undefined;
    seed?: number | null | undefined;
    stop?: string | readonly string[] | null | undefined;
    n?: number | null | undefined;
    echo?: boolean | null | undefined;
    logprobs?: number | null | undefined;
    logit_bias?: Readonly<Record<string, number>> | null | undefined;
    presence_penalty?: number | null | undefined;
    frequency_penalty?: number | null | undefined;
    atomoe?: Pick<GenerateOptions, 'hooks' | 'tensors' | 'trace' | 'decoding'> | null | undefined;
    signal?: AbortSignal | null | undefined;
    user?: unknown;
    best_of?: unknown;
    suffix?: unknown;
}

interface TextCompletionStream extends AsyncIterable<TextCompletionChunk> {
    readonly controller: AbortController;
}

interface TextCompletions {
    create(request: TextCompletionRequest & {
        stream: true;
    }, options?: ChatRequestOptions): Promise<TextCompletionStream>;
    create(request: TextCompletionRequest & {
        stream?: false | null | undefined;
    }, options?: ChatRequestOptions): Promise<TextCompletion>;
    create(request: TextCompletionRequest, options?: ChatRequestOptions): Promise<TextCompletion | TextCompletionStream>;
}

interface TextHead {
    id: string;
    object: 'text_completion';
    created: number;
    model: string;
}

interface TextLogprobs {
    tokens: string[];
    token_logprobs: (number | null)[];
    top_logprobs: (Record<string, number> | null)[];
    text_offset: number[];
}

interface Thread {
    postMessage(message: ToThread): void;
    terminate(): void;
}

interface TierCounters {
    memoryHits: number;
    reads: number;
    readBytes: number;
    joined: number;
    preempted: number;
    busyMs: number;
}

interface TierOptions {
    readonly units: number;
    readonly recordBytes: number;
    readonly hostBytes: number;
    readonly mostReadingBytes?: number;
    readonly read: (layer: number, unit: number, signal: AbortSignal) => Promise<Uint8Array<ArrayBuffer>>;
    readonly planes?: RecordPlanes | undefined;
    readonly link?: (() => LinkState) | undefined;
}

interface Timings {
    readonly prefillMs: number;
    readonly firstTokenMs: number;
    readonly decodeMs: number;
    readonly tokensPerSecond: number;
}

type ToThread = {
    readonly kind: 'open';
    readonly module: WebAssembly.Module;
    readonly control: SharedArrayBuffer;
} | {
    readonly kind: 'memory';
    readonly number: number;
    readonly memory: WebAssembly.Memory;
} | {
    readonly kind: 'forget';
    readonly number: number;
} | {
    readonly kind: 'serve';
    readonly index: number;
};

interface TokenChance {
    readonly id: number;
    readonly logprob: number;
}

interface TokenLogprob extends TokenChance {
    readonly text: string;
    readonly bytes: readonly number[] | null;
}

interface TokenRoutes {
    readonly ids: readonly (readonly number[])[];
    readonly weights: readonly (readonly number[])[];
}

interface TokenTable {
    rawToken(id: number): string | undefined;
    isSpecial(id: number): boolean;
    isAdded(rawToken: string): boolean;
    readonly decoder: DecoderConfig | null;
}

interface Tokenizer extends TokenTable {
    encode(text: string, options?: EncodeOptions): number[];
    decode(ids: readonly number[], options?: DetokenizerOptions): string;
    stream(options?: DetokenizerOptions): StreamingDetokenizer;
    tokenText(id: number): string;
    tokenId(token: string): number | undefined;
    readonly bosId: number | undefined;
    readonly bosToken: string | undefined;
    readonly eosToken: string | undefined;
    readonly eosIds: ReadonlySet<number>;
    readonly vocabSize: number;
    readonly specialTokens: DeclaredTokens['named'];
    readonly chatTemplate: string | undefined;
}

type ToolChoice = 'auto' | 'none' | 'required' | {
    readonly type: 'function';
    readonly function: {
        readonly name: string;
    };
};

interface TransformSpec {
    readonly kind: 'softmax' | 'sigmoid' | (string & {});
}

type Tuning = ReadonlyMap<string, string>;

type TuningMode = 'auto' | 'off' | Tuning;

interface TuningStore {
    read(adapter: string): Promise<ReadonlyMap<string, string>>;
    write(adapter: string, tuning: ReadonlyMap<string, string>): Promise<void>;
}

interface UnitsOf {
    readonly list: Uint32Array;
    of(layer: number, experts: ArrayLike<number>, from: number, count: number): number;
}

interface Usage {
    readonly promptTokens: number;
    readonly reusedTokens: number;
    readonly completionTokens: number;
    readonly reasoningTokens?: number;
}

type Variant = Readonly<Record<string, string | number | boolean>>;

declare const WEIGHTINGS: {
    readonly none: {
        readonly name: 'none';
        readonly role: 'weigh';
        readonly from: 'affinity';
        readonly wgsl: string;
        readonly reference: (row: Float64Array<ArrayBufferLike>, { scale }: StageParams) => void;
    };
    readonly sum: {
        readonly name: 'sum';
        readonly role: 'weigh';
        readonly from: 'affinity';
        readonly wgsl: string;
        readonly reference: (row: Float64Array<ArrayBufferLike>, { scale, eps }: StageParams) => void;
    };
    readonly softmax: {
        readonly name: 'softmax';
        readonly role: 'weigh';
        readonly from: 'logits';
        readonly wgsl: string;
        readonly reference: (row: Float64Array<ArrayBufferLike>, { scale }: StageParams) => void;
    };
    readonly 'clamped-sum': {
        readonly name: 'clamped-sum';
        readonly role: 'weigh';
        readonly from: 'affinity';
        readonly wgsl: string;
        readonly reference: (row: Float64Array<ArrayBufferLike>, { scale, eps }: StageParams) => void;
    };
    readonly exp: {
        readonly name: 'exp';
        readonly role: 'weigh';
        readonly from: 'affinity';
        readonly wgsl: string;
        readonly reference: (row: Float64Array<ArrayBufferLike>, { scale }: StageParams) => void;
    };
    readonly sigmoid: {
        readonly name: 'sigmoid';
        readonly role: 'weigh';
        readonly from: 'logits';
        readonly wgsl: string;
        readonly reference: (row: Float64Array<ArrayBufferLike>, { scale }: StageParams) => void;
    };
    readonly sparsemixer: {
        readonly name: 'sparsemixer';
        readonly role: 'weigh';
        readonly from: 'row';
        readonly wgsl: string;
        readonly valueOf: typeof shareAmongNear;
        readonly reference: (row: Float64Array<ArrayBufferLike>, { scale }: StageParams) => void;
    };
};

type WeighName = keyof typeof WEIGHTINGS | (string & {});

interface WeighSpec {
    readonly from?: 'affinity' | 'exp';
    readonly normalise?: 'none' | 'sum' | 'softmax' | 'sigmoid' | 'sparsemixer' | (string & {});
    readonly epsilon?: number;
    readonly scale?: number;
    readonly on?: 'result' | 'input';
    readonly factors?: string;
}

type WeighStage = Weighting & ({
    readonly from: 'affinity' | 'logits';
} | {
    readonly from: 'row';
    readonly valueOf: (logits: Float64Array, expert: number, params: StageParams) => number;
});

interface Weight {
    readonly kind: 'weight';
    readonly name: string;
    readonly rows: number;
    readonly cols: number;
    readonly exact: boolean;
    readonly source: WeightSource;
}

type WeightDtype = FloatDtype | BlockDtype;

interface WeightFormat {
    readonly name: string;
    readonly block: number;
    readonly unit: number;
    readonly unitBytes?: 8 | 16;
    readonly storedAs?: WeightDtype;
    planes(rows: number, cols: number): readonly Plane[];
    readonly wgsl: FormatShaders;
    readonly simd?: number;
    decode(bytes: Uint8Array<ArrayBuffer>, rows: number, cols: number): Float32Array<ArrayBuffer>;
    encode?(values: Float32Array<ArrayBuffer>, rows: number, cols: number): Uint8Array<ArrayBuffer>;
    readonly repack?: Repack;
    readonly levels?: readonly string[];
    readonly records?: LeveledRecords;
    link?(bytes: Uint8Array<ArrayBuffer>, rows: number, cols: number, offsets: readonly number[]): void;
}

interface WeightPart {
    readonly firstRow: number;
    readonly rows: number;
}

interface WeightPartRef {
    readonly kind: 'part';
    readonly weight: Weight;
    readonly part: number;
}

type WeightSource = {
    readonly kind: 'checkpoint';
    readonly parts: readonly TensorRows[];
} | {
    readonly kind: 'computed';
    readonly values: () => Float32Array<ArrayBuffer>;
} | {
    readonly kind: 'derived';
    readonly parts: Readonly<Record<string, DerivedPart>>;
    readonly values: (parts: Readonly<Record<string, Float32Array>>) => Float32Array<ArrayBuffer>;
};

type WeightSource = 'affinity' | 'logits' | 'exp' | 'one' | {
    readonly kind: 'linear';
    readonly weight: TensorReference;
    readonly activation: Read<typeof activation>;
} | {
    readonly kind: 'caller';
    readonly name: string;
};

type WeightUse = 'output' | 'input' | {
    readonly kind: 'code';
    readonly codes: TensorReference;
    readonly rate: number;
};

interface Weighting extends Part<'weigh'> {
    readonly reference: (row: Float64Array, params: StageParams) => void;
}

interface WorkerEngineOptions extends Omit<OpenOptions, 'headers' | 'autoBudget'>, LoadOptions {
    readonly model?: ModelSource;
    readonly worker?: Worker;
}

declare const activation: Field<"gelu" | "geluTanh" | "none" | "relu" | "reluSquared" | "sigmoid" | "silu" | "tanh">;

declare function buildDecoder(spec: ModelSpec, purpose: GraphPurpose, builder: GraphBuilder, blocks: Blocks): ModelGraph;

declare function builtInFamily(modelType: string): Promise<ConfigFamily>;

declare function createEngine(given?: EngineOptions): Promise<Engine>;

declare function createWorkerEngine(given?: WorkerEngineOptions): Promise<Engine>;

declare function cross<const C extends Readonly<Record<string, readonly (string | number | boolean)[]>>>(choices: C): {
    readonly [N in keyof C]: C[N][number];
}[];

declare function defineFormat<const F extends WeightFormat>(format: F): F;

declare function defineKernel<const B extends Record<string, Access>, const P extends Record<string, ParamType>, const V extends Variant, S>(kernel: Kernel<B, P, V, S>): Kernel<B, P, V, S>;

declare function defineOp<Io extends object>(op: OpDefinition<Io>): MakeNode<Io>;

declare function deleteModel(key: string): Promise<void>;

declare function dispatch<const B extends Record<string, Access>, const P extends Record<string, ParamType>, V extends Variant, S>(kernel: Kernel<B, P, V, S>, variant: V, use: {
    readonly buffers: {
        readonly [N in keyof B]?: Ref;
    } & Readonly<Record<string, Ref>>;
    readonly params: (step: Step) => {
        readonly [N in keyof P]: number;
    };
    readonly size: (step: Step) => S;
    readonly indirect?: Tensor;
    readonly isNeeded?: (step: Step) => boolean;
    readonly records?: RecordUse;
    readonly work?: (step: Step) => number;
}): Dispatch;

declare function estimateStorage(): Promise<StorageEstimate>;

declare function featuresOf(variant: {
    readonly scalar?: Scalar;
    readonly subgroups?: boolean;
}): Feature[];

declare function foldGrid(groups: number): Grid;

declare const gridPart: Part;

declare const hooks: Field<ReadAll<{
    bias: Field<string | undefined>;
    steer: Field<ReadAll<{
        experts: Field<readonly number[]>;
        mode: Field<"hard" | "soft">;
        strength: Field<number | undefined>;
        deviation: Field<"population" | "sample">;
        epsilon: Field<number>;
    }> | undefined>;
    mask: Field<readonly number[] | undefined>;
    ranks: Field<readonly number[] | undefined>;
    replay: Field<ReadAll<{
        ids: Field<string>;
        weights: Field<string>;
    }> | undefined>;
}>>;

declare function hubChoices(model: HubModel, hubUrl?: string): HubChoice[];

declare function hubFileUrl({ repo, revision, file }: HubName, hubUrl?: string): string;

declare const input: Field<ReadAll<{
    parts: Field<readonly ReadTagged<{
        readonly hidden: {
            earlier: Field<number | undefined>;
        };
        readonly tokenTable: {
            readonly tensor: Field<TensorReference>;
        };
        readonly caller: {
            name: Field<string>;
            width: Field<number | undefined>;
        };
    }, "from", Record<never, never>>[]>;
    normalise: Field<"none" | "rms" | "unit">;
}>>;

declare function isMoe(block: BlockSpec): block is MoeSpec;

declare function listModels(): Promise<StoredModel[]>;

declare function memoryNeeds({ bytes, parameters, notes }: ModelPlan, file?: Pick<HubChoice, 'sizeBytes' | 'leastBits'>): MemoryNeeds;

declare function nextOf({ name, next }: Tensor): Tensor;

declare function parseHubName(text: string): HubName | undefined;

declare function persistStorage(): Promise<boolean>;

declare const plainScores: {
    readonly linear: {
        readonly weight: Field<TensorReference>;
        readonly bias: Field<TensorReference | undefined>;
    };
    readonly perceptron: {
        readonly layers: Field<readonly ReadAll<{
            weight: Field<TensorReference>;
            bias: Field<TensorReference | undefined>;
            activation: Field<"gelu" | "geluTanh" | "none" | "relu" | "reluSquared" | "sigmoid" | "silu" | "tanh">;
        }>[]>;
    };
    readonly cosine: {
        readonly projection: Field<TensorReference | undefined>;
        readonly keys: Field<TensorReference>;
        readonly temperature: Field<number | TensorReference>;
        readonly epsilon: Field<number>;
    };
    readonly attention: {
        readonly query: Field<TensorReference>;
        readonly key: Field<TensorReference>;
        readonly value: Field<TensorReference>;
    };
    readonly hypernetwork: {
        readonly embedding: Field<TensorReference>;
        readonly layers: Field<readonly ReadAll<{
            weight: Field<TensorReference>;
            bias: Field<TensorReference | undefined>;
            activation: Field<"gelu" | "geluTanh" | "none" | "relu" | "reluSquared" | "sigmoid" | "silu" | "tanh">;
        }>[]>;
    };
    readonly mixture: {
        readonly main: Field<TensorReference>;
        readonly routers: Field<TensorReference>;
        readonly normaliseRouters: Field<"none" | "softmax">;
        readonly top: Field<number | undefined>;
    };
    readonly multiQuery: {
        readonly queries: Field<TensorReference>;
        readonly keys: Field<TensorReference>;
        readonly combine: Field<"max" | "mean" | "sum">;
        readonly scale: Field<number | undefined>;
    };
    readonly analytic: {
        readonly classifier: Field<TensorReference>;
        readonly gate: Field<TensorReference>;
    };
    readonly gaussianMixture: {
        readonly projection: Field<TensorReference>;
        readonly projectionBias: Field<TensorReference | undefined>;
        readonly logPriors: Field<TensorReference>;
        readonly means: Field<TensorReference>;
        readonly logVariances: Field<TensorReference>;
    };
    readonly codebook: {
        readonly codes: Field<TensorReference>;
    };
    readonly selfActivation: {
        readonly down: Field<TensorReference>;
    };
    readonly sparsity: {
        readonly weight: Field<TensorReference>;
        readonly prefer: Field<"active" | "sparse">;
    };
    readonly product: {
        readonly rows: Field<TensorReference>;
        readonly columns: Field<TensorReference>;
        readonly rowsNorm: Field<ReadAll<{
            mean: Field<TensorReference>;
            variance: Field<TensorReference>;
            epsilon: Field<number>;
        }> | undefined>;
        readonly columnsNorm: Field<ReadAll<{
            mean: Field<TensorReference>;
            variance: Field<TensorReference>;
            epsilon: Field<number>;
        }> | undefined>;
    };
    readonly productKeys: {
        readonly heads: Field<number>;
        readonly query: Field<TensorReference>;
        readonly queryNorm: Field<ReadAll<{
            mean: Field<TensorReference>;
            variance: Field<TensorReference>;
            epsilon: Field<number>;
        }> | undefined>;
        readonly keysX: Field<TensorReference>;
        readonly keysY: Field<TensorReference>;
    };
    readonly twoLevel: {
        readonly group: Field<TensorReference>;
        readonly member: Field<TensorReference>;
    };
    readonly caller: {
        readonly name: Field<string>;
    };
    readonly random: {
        readonly seed: Field<number>;
        readonly layer: Field<number>;
    };
    readonly zero: {};
    readonly headNorm: {};
};

declare function readHubModel(name: HubName, options?: HubOptions): Promise<HubModel>;

declare function reducePart(subgroups: boolean): Part;

declare function registerFormat(format: WeightFormat): void;

declare function registerStage(stage: Stage): void;

declare const router: Field<ReadAll<{
    input: Field<ReadAll<{
        parts: Field<readonly ReadTagged<{
            readonly hidden: {
                earlier: Field<number | undefined>;
            };
            readonly tokenTable: {
                readonly tensor: Field<TensorReference>;
            };
            readonly caller: {
                name: Field<string>;
                width: Field<number | undefined>;
            };
        }, "from", Record<never, never>>[]>;
        normalise: Field<"none" | "rms" | "unit">;
    }>>;
    score: Field<ScoreDescription>;
    nullExperts: Field<number>;
    nullWeight: Field<TensorReference | undefined>;
    transform: Field<readonly ReadTagged<{
        readonly softmax: {
            within: Field<number | undefined>;
        };
        readonly logSoftmax: {};
        readonly sigmoid: {};
        readonly relu: {};
        readonly tanh: {};
        readonly abs: {};
        readonly exp: {};
        readonly sqrtSoftplus: {};
        readonly scale: {
            by: Field<number | TensorReference>;
        };
        readonly add: {
            readonly tensor: Field<TensorReference>;
        };
        readonly mask: {
            readonly tensor: Field<TensorReference>;
            readonly by: Field<"tokenIds" | undefined>;
        };
        readonly standardise: {
            deviation: Field<"population" | "sample">;
        };
        readonly sinkhorn: {
            iterations: Field<number>;
            temperature: Field<number>;
        };
        readonly mixTokens: {
            name: Field<string>;
        };
    }, "kind", Record<never, never>>[]>;
    select: Field<ReadTagged<{
        readonly topK: {
            k: Field<number | ReadAll<{
                from: Field<"attentionReceived" | "importance">;
                name: Field<string>;
                least: Field<number>;
                most: Field<number>;
            }>>;
        };
        readonly topP: {
            p: Field<number>;
            rule: Field<"crossing" | "within">;
            atLeast: Field<number>;
            atMost: Field<number | undefined>;
            keepAllAbove: Field<ReadAll<{
                entropy: Field<"renyi" | "tsallis">;
                index: Field<number>;
                threshold: Field<number>;
                relative: Field<boolean>;
            }> | undefined>;
        };
        readonly positive: {};
        readonly all: {};
        readonly topOfEach: {
            groups: Field<number>;
        };
        readonly ranks: {
            ranks: Field<readonly number[]>;
        };
        readonly ids: {
            name: Field<string | undefined>;
            tensor: Field<TensorReference | undefined>;
            by: Field<"tokenIds" | undefined>;
        };
        readonly expertChoice: {
            factor: Field<number | undefined>;
            tokensPerExpert: Field<number | undefined>;
            round: Field<"ceil" | "floor">;
            least: Field<number>;
            forceFirst: Field<boolean>;
            among: Field<number | undefined>;
            over: Field<"batch" | "sequence">;
        };
    }, "kind", {
        by: Field<"affinity" | "logits">;
        bias: Field<TensorReference | undefined>;
        groups: Field<ReadAll<{
            count: Field<number>;
            keep: Field<number>;
            by: Field<"max" | "score" | "sumOfTopTwo">;
        }> | undefined>;
        drop: Field<readonly ReadTagged<{
            readonly belowThreshold: {
                scale: Field<number>;
                thresholds: Field<readonly number[]>;
                by: Field<string | undefined>;
            };
            readonly belowRatio: {
                ratio: Field<number>;
                protect: Field<ReadAll<{
                    name: Field<string>;
                    top: Field<number>;
                    bottom: Field<number>;
                }> | undefined>;
            };
            readonly mask: {
                layers: Field<readonly ReadAll<{
                    weight: Field<TensorReference>;
                    bias: Field<TensorReference | undefined>;
                    activation: Field<"gelu" | "geluTanh" | "none" | "relu" | "reluSquared" | "sigmoid" | "silu" | "tanh">;
                }>[]>;
                atLeast: Field<number>;
            };
        }, "kind", Record<never, never>>[]>;
    }>>;
    weigh: Field<ReadAll<{
        from: Field<WeightSource>;
        normalise: Field<"none" | "softmax" | "sum">;
        over: Field<"chosen" | "kept">;
        across: Field<"experts" | "tokens">;
        epsilon: Field<number>;
        times: Field<"largestAffinity" | undefined>;
        expertScale: Field<TensorReference | undefined>;
        scale: Field<number>;
        add: Field<number>;
        apply: Field<WeightUse>;
        combine: Field<"add" | "interpolate">;
    }>>;
    scope: Field<ReadAll<{
        unit: Field<"segment" | "sequence" | "token">;
        pool: Field<"concatenate" | "first" | "last" | "mean">;
        segmentLength: Field<number | undefined>;
        expertUnit: Field<"segment" | "token">;
        parameters: Field<"layer" | "model">;
        decision: Field<"layer" | "model" | "prompt">;
        sees: Field<"batch" | "prefix" | "prompt" | "sequence" | "token" | undefined>;
    }>>;
    state: Field<({
        readonly kind: "gru";
    } & {
        readonly hiddenBias: TensorReference;
        readonly hiddenWeights: TensorReference;
        readonly inputBias: TensorReference;
        readonly inputWeights: TensorReference;
        readonly name: string;
        readonly project: TensorReference;
        readonly size: number;
    } & {
        readonly projectBias?: TensorReference;
    } & {} & {}) | undefined>;
    capacity: Field<ReadAll<{
        factor: Field<number | undefined>;
        tokensPerExpert: Field<number | undefined>;
        over: Field<"batch" | "sequence">;
        order: Field<"rank" | "token">;
        overflow: Field<"drop" | "reroute">;
        fill: Field<boolean>;
    }> | undefined>;
}>>;

declare function scalarPrelude(scalar: Scalar, subgroups?: boolean): Part;

declare function shareAmongNear(logits: Float64Array, expert: number, { eps }: StageParams): number;

declare function softmax(row: Float64Array): void;
