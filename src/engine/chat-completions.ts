/** OpenAI's `chat.completions` as types. Part of the public interface, `api.ts`. */
import type { FinishReason, GenerateOptions, LossyReport, Timings } from './api.ts';
import type { ChatContentPart, ChatMessage, ChatToolCall } from './chat-messages.ts';
import type { DecodingReport } from './decode/options.ts';
import type { RoutingTrace } from './routing-hooks.ts';

/** A message as OpenAI's clients send it: wider than `ChatMessage`, and refused at run time where that is not enough. */
export interface ChatRequestMessage {
  readonly role: ChatMessage['role'] | 'function';
  readonly content?: string | readonly ChatContentPart[] | null | undefined; // null beside tool_calls only
  readonly reasoning_content?: string | null | undefined;
  readonly tool_calls?: readonly unknown[] | null | undefined;
  readonly tool_call_id?: string | null | undefined;
}

/**
 * OpenAI's request. `undefined` and `null` mean that a field is not there. Fields that ask for what the engine does not
 * do are refused with `bad-input`, unless their value asks for nothing (`functions: []`); so are unknown ones.
 */
export interface ChatCompletionRequest {
  messages: readonly ChatRequestMessage[];
  model?: string | null | undefined; // any: the loaded one answers
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
  tools?: readonly unknown[] | null | undefined; // as `ChatTool`
  tool_choice?: unknown; // a `ToolChoice`
  parallel_tool_calls?: boolean | null | undefined;
  response_format?: unknown; // a `ResponseFormat`
  logit_bias?: Readonly<Record<string, number>> | null | undefined;
  presence_penalty?: number | null | undefined;
  frequency_penalty?: number | null | undefined;
  n?: number | null | undefined; // replies, with the seeds `seed`, `seed + 1`, ...; 1 to 128
  /** Variables of the model's chat template: `GenerateOptions.templateOptions`. */
  chat_template_kwargs?: Readonly<Record<string, unknown>> | null | undefined;
  continue_final_message?: boolean | null | undefined; // the last message is the beginning of the answer
  /** The template's variable of this name; or its `enable_thinking`, which is false for 'none'. */
  reasoning_effort?: string | null | undefined;
  /** What OpenAI's shape has no place for: as in `GenerateOptions`. */
  atomoe?: Pick<GenerateOptions, 'hooks' | 'tensors' | 'trace' | 'decoding'> | null | undefined;
  signal?: AbortSignal | null | undefined;
  /** Passed by: they change no answer. */
  metadata?: unknown;
  prediction?: unknown;
  prompt_cache_key?: unknown;
  prompt_cache_retention?: unknown;
  safety_identifier?: unknown;
  service_tier?: unknown;
  store?: unknown;
  user?: unknown;
  /** Taken where they ask for nothing. */
  audio?: unknown;
  function_call?: unknown;
  functions?: unknown;
  modalities?: unknown;
  moderation?: unknown;
  verbosity?: unknown;
  web_search_options?: unknown;
}

/** OpenAI's `stream_options`. */
export interface StreamOptions {
  include_usage?: boolean | null | undefined; // a last chunk without choices has the usage; all others have `usage: null`
  include_obfuscation?: boolean | null | undefined; // nothing is obfuscated: nothing leaves the device
}

/** What `create` takes beside the request. */
export interface ChatRequestOptions {
  signal?: AbortSignal | null | undefined;
  /** Of OpenAI's client; nothing is sent anywhere, so they mean nothing. */
  headers?: unknown;
  idempotencyKey?: unknown;
  maxRetries?: unknown;
}

/** OpenAI's `usage`: token counts of one completion. */
export interface ChatCompletionUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  completion_tokens_details?: { reasoning_tokens: number }; // only where the model has thought
}

/** OpenAI's log-probability of one token, with its bytes in UTF-8; null where it is no text. */
export interface ChatTokenLogprob {
  token: string;
  bytes: number[] | null;
  logprob: number;
  top_logprobs: { token: string; bytes: number[] | null; logprob: number }[];
}

/** OpenAI's `logprobs` of one choice. */
export interface ChatLogprobs {
  content: ChatTokenLogprob[];
  refusal: null;
}

/** What OpenAI's shape has no place for. */
export interface ChatDetails {
  reason: FinishReason; // 'abort' is 'stop' in `finish_reason`
  seed: number;
  timings: Timings;
  trace?: RoutingTrace; // where `atomoe.trace` asked for it
  decoding?: DecodingReport; // where `atomoe.decoding` named a strategy
  lossy?: LossyReport;
}

interface ChatHead {
  id: string;
  created: number; // seconds since 1970
  model: string;
  system_fingerprint: string; // same model, options and adapter: same fingerprint
}

/** OpenAI's answer to a request that is not streamed, with Atomoe's own figures under `atomoe`. */
export interface ChatCompletion extends ChatHead {
  object: 'chat.completion';
  choices: {
    index: number;
    message: {
      role: 'assistant';
      content: string;
      refusal: null;
      reasoning_content?: string; // as other servers of models that think have it
      tool_calls?: ChatToolCall[];
    };
    finish_reason: 'stop' | 'length' | 'tool_calls';
    logprobs: ChatLogprobs | null;
    atomoe: ChatDetails;
  }[];
  usage: ChatCompletionUsage;
}

/** OpenAI's chunk of a streamed answer. */
export interface ChatCompletionChunk extends ChatHead {
  object: 'chat.completion.chunk';
  choices: {
    index: number;
    delta: {
      role?: 'assistant';
      content?: string;
      refusal?: null;
      reasoning_content?: string;
      tool_calls?: (ChatToolCall & { index: number })[]; // each is whole
    };
    finish_reason: 'stop' | 'length' | 'tool_calls' | null;
    logprobs: ChatLogprobs | null;
    atomoe?: ChatDetails; // with the finish_reason
  }[];
  usage?: ChatCompletionUsage | null;
}

/** A streamed answer. It begins when it is first read, and holds no memory before. */
export interface ChatCompletionStream extends AsyncIterable<ChatCompletionChunk> {
  /** Its `abort()` ends the answer, as the signal of the request does. */
  readonly controller: AbortController;
}

/**
 * OpenAI's `chat.completions`.
 * @throws {AtomoeError} bad-input - a field that would change the answer and is not supported; busy; disposed
 */
export interface ChatCompletions {
  create(
    request: ChatCompletionRequest & { stream: true },
    options?: ChatRequestOptions,
  ): Promise<ChatCompletionStream>;
  create(
    request: ChatCompletionRequest & { stream?: false | null | undefined },
    options?: ChatRequestOptions,
  ): Promise<ChatCompletion>;
  create(
    request: ChatCompletionRequest,
    options?: ChatRequestOptions,
  ): Promise<ChatCompletion | ChatCompletionStream>;
}
