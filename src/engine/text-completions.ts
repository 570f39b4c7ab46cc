/** OpenAI's `completions`, the older API for texts that go on, as types. Part of the public interface, `api.ts`. */
import type { GenerateOptions } from './api.ts';
import type {
  ChatCompletionUsage,
  ChatDetails,
  ChatRequestOptions,
  StreamOptions,
} from './chat-completions.ts';

/**
 * OpenAI's request. `undefined` and `null` mean that a field is not there. Fields that ask for what the engine does not do are
 * refused with `bad-input`, unless their value asks for nothing; so are unknown ones.
 */
export interface TextCompletionRequest {
  /** A text or token ids, or a list of several; each has `n` replies. No chat template is applied. */
  prompt: string | readonly string[] | readonly number[] | readonly (readonly number[])[] | null;
  model?: string | null | undefined; // any: the loaded one answers
  stream?: boolean | null | undefined;
  stream_options?: StreamOptions | null | undefined;
  max_tokens?: number | null | undefined; // default 16, as OpenAI's; 0 only with `echo`: nothing is added
  temperature?: number | null | undefined;
  top_p?: number | null | undefined;
  top_k?: number | null | undefined;
  min_p?: number | null | undefined;
  repetition_penalty?: number | null | undefined;
  seed?: number | null | undefined;
  stop?: string | readonly string[] | null | undefined;
  n?: number | null | undefined; // replies to each prompt, with the seeds `seed`, `seed + 1`, ...; 1 to 128
  echo?: boolean | null | undefined; // the answer begins with the prompt
  logprobs?: number | null | undefined; // how many alternatives to report for each token; 0 to 20
  logit_bias?: Readonly<Record<string, number>> | null | undefined;
  presence_penalty?: number | null | undefined;
  frequency_penalty?: number | null | undefined;
  /** What OpenAI's shape has no place for: as in `GenerateOptions`. */
  atomoe?: Pick<GenerateOptions, 'hooks' | 'tensors' | 'trace' | 'decoding'> | null | undefined;
  signal?: AbortSignal | null | undefined;
  user?: unknown; // passed by
  /** Taken where they ask for nothing. */
  best_of?: unknown;
  suffix?: unknown;
}

/** OpenAI's `logprobs` of a text: one entry of each list for each token, natural logarithms. */
export interface TextLogprobs {
  tokens: string[]; // a part of a character is `bytes:\xe2\x96`
  token_logprobs: (number | null)[]; // null: nothing comes before the first token of a prompt
  top_logprobs: (Record<string, number> | null)[]; // by `tokens`; `token_id:N` where another one has the same text
  text_offset: number[]; // in the text of all tokens of this answer, in UTF-16 units; of a part of a character, where that begins
}

/** One of the texts of an answer, or a part of it. */
export interface TextChoice {
  index: number; // the number of the prompt times `n`, and the number of its reply
  text: string;
  logprobs: TextLogprobs | null;
}

interface TextHead {
  id: string;
  object: 'text_completion';
  created: number; // seconds since 1970
  model: string;
}

/** OpenAI's answer to a request that is not streamed, with Atomoe's own figures under `atomoe`. */
export interface TextCompletion extends TextHead {
  choices: (TextChoice & { finish_reason: 'stop' | 'length'; atomoe?: ChatDetails })[]; // none where nothing was generated
  usage: ChatCompletionUsage;
}

/** OpenAI's chunk of a streamed answer. */
export interface TextCompletionChunk extends TextHead {
  choices: (TextChoice & { finish_reason: 'stop' | 'length' | null; atomoe?: ChatDetails })[];
  usage?: ChatCompletionUsage | null;
}

/** A streamed answer. It begins when it is first read, and holds no memory before. */
export interface TextCompletionStream extends AsyncIterable<TextCompletionChunk> {
  /** Its `abort()` ends the answer, as the signal of the request does. */
  readonly controller: AbortController;
}

/**
 * OpenAI's `completions`.
 * @throws {AtomoeError} bad-input - a field that would change the answer and is not supported; context-full; busy; disposed
 */
export interface TextCompletions {
  create(
    request: TextCompletionRequest & { stream: true },
    options?: ChatRequestOptions,
  ): Promise<TextCompletionStream>;
  create(
    request: TextCompletionRequest & { stream?: false | null | undefined },
    options?: ChatRequestOptions,
  ): Promise<TextCompletion>;
  create(
    request: TextCompletionRequest,
    options?: ChatRequestOptions,
  ): Promise<TextCompletion | TextCompletionStream>;
}
