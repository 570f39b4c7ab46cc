// The public types of atomoe/ai-sdk, written by npm run types:snapshot.
// What is not here is in atomoe.d.ts.
export { AnsweringEngine, AtomoeLanguageModel, CallOptions, CallResult, CallStreamPart, CallTool, CallUsage, CallWarning, FinishReason, PromptMessage, PromptPart, ReplyContent, ToolOutput, atomoe };

type AnsweringEngine = Pick<Engine, 'chat' | 'completions' | 'model'>;

interface AtomoeLanguageModel {
    readonly specificationVersion: 'v3';
    readonly provider: string;
    readonly modelId: string;
    readonly supportedUrls: Record<string, RegExp[]>;
    doGenerate(options: CallOptions): Promise<CallResult>;
    doStream(options: CallOptions): Promise<{
        stream: ReadableStream<CallStreamPart>;
        request: {
            body: unknown;
        };
    }>;
}

interface CallOptions {
    readonly prompt: readonly PromptMessage[];
    readonly maxOutputTokens?: number | undefined;
    readonly temperature?: number | undefined;
    readonly stopSequences?: string[] | undefined;
    readonly topP?: number | undefined;
    readonly topK?: number | undefined;
    readonly presencePenalty?: number | undefined;
    readonly frequencyPenalty?: number | undefined;
    readonly responseFormat?: {
        readonly type: 'text';
    } | {
        readonly type: 'json';
        readonly schema?: unknown;
        readonly name?: string | undefined;
    } | undefined;
    readonly seed?: number | undefined;
    readonly tools?: readonly CallTool[] | undefined;
    readonly toolChoice?: {
        readonly type: 'auto' | 'none' | 'required';
    } | {
        readonly type: 'tool';
        readonly toolName: string;
    } | undefined;
    readonly abortSignal?: AbortSignal | undefined;
    readonly providerOptions?: ProviderData | undefined;
}

interface CallResult {
    content: ReplyContent[];
    finishReason: FinishReason;
    usage: CallUsage;
    warnings: CallWarning[];
    request: {
        body: unknown;
    };
    response: {
        id: string;
        timestamp: Date;
        modelId: string;
    };
}

type CallStreamPart = {
    type: 'stream-start';
    warnings: CallWarning[];
} | {
    type: 'response-metadata';
    id: string;
    timestamp: Date;
    modelId: string;
} | {
    type: 'text-start' | 'text-end' | 'reasoning-start' | 'reasoning-end' | 'tool-input-end';
    id: string;
} | {
    type: 'text-delta' | 'reasoning-delta' | 'tool-input-delta';
    id: string;
    delta: string;
} | {
    type: 'tool-input-start';
    id: string;
    toolName: string;
} | {
    type: 'tool-call';
    toolCallId: string;
    toolName: string;
    input: string;
} | {
    type: 'finish';
    usage: CallUsage;
    finishReason: FinishReason;
} | {
    type: 'error';
    error: unknown;
};

interface CallTool {
    readonly type: 'function' | 'provider';
    readonly name: string;
    readonly description?: string | undefined;
    readonly inputSchema?: unknown;
}

interface CallUsage {
    inputTokens: {
        total: number | undefined;
        noCache: undefined;
        cacheRead: undefined;
        cacheWrite: undefined;
    };
    outputTokens: {
        total: number | undefined;
        text: number | undefined;
        reasoning: number | undefined;
    };
}

interface CallWarning {
    type: 'unsupported';
    feature: string;
    details?: string;
}

interface FinishReason {
    unified: 'stop' | 'length' | 'tool-calls';
    raw: string | undefined;
}

interface PromptMessage {
    readonly role: 'system' | 'user' | 'assistant' | 'tool';
    readonly content: string | readonly PromptPart[];
}

type PromptPart = {
    readonly type: 'text' | 'reasoning';
    readonly text: string;
} | {
    readonly type: 'file';
    readonly mediaType: string;
} | {
    readonly type: 'tool-call';
    readonly toolCallId: string;
    readonly toolName: string;
    readonly input: unknown;
} | {
    readonly type: 'tool-result';
    readonly toolCallId: string;
    readonly output: ToolOutput;
} | {
    readonly type: 'tool-approval-response';
};

type ProviderData = Record<string, Record<string, unknown>>;

type ReplyContent = {
    type: 'text' | 'reasoning';
    text: string;
} | {
    type: 'tool-call';
    toolCallId: string;
    toolName: string;
    input: string;
};

type ToolOutput = {
    readonly type: 'text' | 'error-text';
    readonly value: string;
} | {
    readonly type: 'json' | 'error-json';
    readonly value: unknown;
} | {
    readonly type: 'execution-denied';
    readonly reason?: string | undefined;
} | {
    readonly type: 'content';
    readonly value: readonly {
        readonly type: string;
        readonly text?: string;
    }[];
};

declare function atomoe(engine: AnsweringEngine): AtomoeLanguageModel;
