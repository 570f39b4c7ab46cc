/**
 * What the AI SDK asks of a language model, version 3 of its interface (`LanguageModelV3` of `@ai-sdk/provider`): the parts that
 * an engine reads and gives, so that the package depends on nothing. A test compares them with the SDK's own types.
 */

type ProviderData = Record<string, Record<string, unknown>>;

/** Part of a message. */
export type PromptPart =
  | { readonly type: 'text' | 'reasoning'; readonly text: string }
  | { readonly type: 'file'; readonly mediaType: string }
  | {
      readonly type: 'tool-call';
      readonly toolCallId: string;
      readonly toolName: string;
      readonly input: unknown;
    }
  | { readonly type: 'tool-result'; readonly toolCallId: string; readonly output: ToolOutput }
  | { readonly type: 'tool-approval-response' };

/** What a tool answered. */
export type ToolOutput =
  | { readonly type: 'text' | 'error-text'; readonly value: string }
  | { readonly type: 'json' | 'error-json'; readonly value: unknown }
  | { readonly type: 'execution-denied'; readonly reason?: string | undefined }
  | {
      readonly type: 'content';
      readonly value: readonly { readonly type: string; readonly text?: string }[];
    };

/** A message. */
export interface PromptMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string | readonly PromptPart[];
}

/** A tool; those of providers run elsewhere, and are left out with a warning. */
export interface CallTool {
  readonly type: 'function' | 'provider';
  readonly name: string;
  readonly description?: string | undefined;
  readonly inputSchema?: unknown; // JSON schema
}

/** The options of one call. */
export interface CallOptions {
  readonly prompt: readonly PromptMessage[];
  readonly maxOutputTokens?: number | undefined;
  readonly temperature?: number | undefined;
  readonly stopSequences?: string[] | undefined;
  readonly topP?: number | undefined;
  readonly topK?: number | undefined;
  readonly presencePenalty?: number | undefined;
  readonly frequencyPenalty?: number | undefined;
  readonly responseFormat?:
    | { readonly type: 'text' }
    | { readonly type: 'json'; readonly schema?: unknown; readonly name?: string | undefined }
    | undefined;
  readonly seed?: number | undefined;
  readonly tools?: readonly CallTool[] | undefined;
  readonly toolChoice?:
    | { readonly type: 'auto' | 'none' | 'required' }
    | { readonly type: 'tool'; readonly toolName: string }
    | undefined;
  readonly abortSignal?: AbortSignal | undefined;
  readonly providerOptions?: ProviderData | undefined; // `atomoe`: fields of the request, such as `atomoe`
}

/** What a call asked for and does not get. */
export interface CallWarning {
  type: 'unsupported';
  feature: string;
  details?: string;
}

/** Why a reply ended. */
export interface FinishReason {
  unified: 'stop' | 'length' | 'tool-calls';
  raw: string | undefined;
}

/** Token counts. */
export interface CallUsage {
  inputTokens: {
    total: number | undefined;
    noCache: undefined;
    cacheRead: undefined;
    cacheWrite: undefined;
  };
  outputTokens: { total: number | undefined; text: number | undefined; reasoning: number | undefined };
}

/** Part of a reply. */
export type ReplyContent =
  | { type: 'text' | 'reasoning'; text: string }
  | { type: 'tool-call'; toolCallId: string; toolName: string; input: string };

/** A whole reply. */
export interface CallResult {
  content: ReplyContent[];
  finishReason: FinishReason;
  usage: CallUsage;
  warnings: CallWarning[];
  request: { body: unknown };
  response: { id: string; timestamp: Date; modelId: string };
}

/** An event of a streamed reply. */
export type CallStreamPart =
  | { type: 'stream-start'; warnings: CallWarning[] }
  | { type: 'response-metadata'; id: string; timestamp: Date; modelId: string }
  | { type: 'text-start' | 'text-end' | 'reasoning-start' | 'reasoning-end' | 'tool-input-end'; id: string }
  | { type: 'text-delta' | 'reasoning-delta' | 'tool-input-delta'; id: string; delta: string }
  | { type: 'tool-input-start'; id: string; toolName: string }
  | { type: 'tool-call'; toolCallId: string; toolName: string; input: string }
  | { type: 'finish'; usage: CallUsage; finishReason: FinishReason }
  | { type: 'error'; error: unknown };

/** A language model of the AI SDK. */
export interface AtomoeLanguageModel {
  readonly specificationVersion: 'v3';
  readonly provider: string;
  readonly modelId: string;
  readonly supportedUrls: Record<string, RegExp[]>;
  doGenerate(options: CallOptions): Promise<CallResult>;
  doStream(
    options: CallOptions,
  ): Promise<{ stream: ReadableStream<CallStreamPart>; request: { body: unknown } }>;
}
