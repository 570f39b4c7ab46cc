/** OpenAI's request, field by field: what the engine does, what changes no answer, and what it has to refuse. */
import { AtomoeError } from '../../errors.ts';
import type { ChatTool, GenerateOptions, ResponseFormat, ToolChoice } from '../api.ts';
import {
  abortSignal,
  fields,
  flag,
  guarded,
  oneOf,
  readFields,
  show,
  text,
  wholeFrom,
  type Check,
  type Table,
} from '../checks.ts';
import { optionsOf } from './field-names.ts';
import { readMessages, type PlainMessage } from './messages.ts';
import { GENERATE } from '../options.ts';

/** A request that was checked: plain data but for the signal. */
export interface CheckedChatRequest {
  readonly messages: readonly PlainMessage[];
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly count: number; // of replies
  readonly options: GenerateOptions;
}

/** Changes no answer, so anything is taken. */
export const passed: Check<unknown> = () => true;

/** Taken where it asks for nothing; else the sentence says what the engine cannot do. */
export function neutral(isNeutral: (value: unknown) => boolean, cannot: string): Check<unknown> {
  return (value, name) => {
    if (guarded(name, () => isNeutral(value))) return true;
    throw new AtomoeError(
      'bad-input',
      `${name} is ${show(value)}, but this engine ${cannot}; wanted an answer without it; leave it out`,
    );
  };
}

const never = (cannot: string) => neutral(() => false, cannot);
const isEmptyList = (value: unknown) => Array.isArray(value) && value.length === 0;
const isNone = (value: unknown) => value === 'none' || value === 'auto';
const noCalls = 'takes tools, and no functions';

/** The fields that say something, as they cross to a worker. */
export interface ChatBody {
  readonly messages: readonly PlainMessage[];
  readonly model: string;
  readonly stream: boolean;
  readonly stream_options: { include_usage: boolean; include_obfuscation: boolean };
  readonly max_tokens: number;
  readonly max_completion_tokens: number;
  readonly temperature: number;
  readonly top_p: number;
  readonly top_k: number;
  readonly min_p: number;
  readonly repetition_penalty: number;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly logprobs: boolean;
  readonly top_logprobs: number;
  readonly tools: readonly ChatTool[];
  readonly tool_choice: ToolChoice;
  readonly parallel_tool_calls: boolean;
  readonly response_format: ResponseFormat;
  readonly logit_bias: Readonly<Record<string, number>>;
  readonly presence_penalty: number;
  readonly frequency_penalty: number;
  readonly n: number;
  readonly chat_template_kwargs: Readonly<Record<string, unknown>>;
  readonly continue_final_message: boolean;
  readonly reasoning_effort: string;
  readonly atomoe: Pick<GenerateOptions, 'hooks' | 'tensors' | 'trace' | 'decoding'>;
}

interface BodyFields extends ChatBody {
  readonly signal: AbortSignal;
}

export const stops: Check<readonly string[]> = (value, name) =>
  GENERATE.stop(typeof value === 'string' ? [value] : value, name);

const UNDERSTOOD: Table<BodyFields> = {
  messages: readMessages,
  model: text,
  stream: flag,
  stream_options: fields({ include_usage: flag, include_obfuscation: flag }),
  max_tokens: GENERATE.maxTokens,
  max_completion_tokens: GENERATE.maxTokens,
  temperature: GENERATE.temperature,
  top_p: GENERATE.topP,
  top_k: GENERATE.topK,
  min_p: GENERATE.minP,
  repetition_penalty: GENERATE.repetitionPenalty,
  seed: GENERATE.seed,
  stop: stops,
  logprobs: flag,
  top_logprobs: GENERATE.logprobs,
  tools: GENERATE.tools,
  tool_choice: GENERATE.toolChoice,
  parallel_tool_calls: GENERATE.parallelToolCalls,
  response_format: GENERATE.responseFormat,
  logit_bias: GENERATE.logitBias,
  presence_penalty: GENERATE.presencePenalty,
  frequency_penalty: GENERATE.frequencyPenalty,
  n: wholeFrom(1, 128),
  chat_template_kwargs: GENERATE.templateOptions,
  continue_final_message: flag,
  reasoning_effort: text,
  atomoe: fields({
    hooks: GENERATE.hooks,
    tensors: GENERATE.tensors,
    trace: GENERATE.trace,
    decoding: GENERATE.decoding,
  }),
  signal: abortSignal,
};

const NEUTRAL = {
  metadata: passed,
  prediction: passed,
  prompt_cache_key: passed,
  prompt_cache_retention: passed,
  safety_identifier: passed,
  service_tier: passed,
  store: passed,
  user: passed,
  audio: never('says nothing aloud'),
  function_call: neutral(isNone, noCalls),
  functions: neutral(isEmptyList, noCalls),
  modalities: neutral(
    (value) => Array.isArray(value) && value.every((each) => each === 'text'),
    'answers with text only',
  ),
  moderation: never('moderates nothing'),
  verbosity: neutral((value) => value === 'medium', 'has no verbosity to choose'),
  web_search_options: never('searches nothing'),
};

/** A request whose fields were checked: plain data, and the signal apart. */
export interface CheckedChatBody {
  readonly body: Partial<ChatBody> & Pick<ChatBody, 'messages'>;
  readonly signal: AbortSignal | undefined;
}

/** @throws {AtomoeError} bad-input - names the field, what it is, and what it may be */
export function readChatBody(given: unknown, requestOptions: unknown): CheckedChatBody {
  const table = { ...UNDERSTOOD, ...NEUTRAL };
  const known = readFields<Partial<BodyFields>>(given, table, { what: 'the request', kind: 'field' });
  const { messages, signal, ...rest } = known;
  if (!messages) {
    throw new AtomoeError('bad-input', 'the request has no messages; wanted at least one; say something');
  }
  if (rest.top_logprobs && !rest.logprobs) {
    throw new AtomoeError(
      'bad-input',
      `top_logprobs is ${rest.top_logprobs} without logprobs: true; wanted both, or neither; set logprobs`,
    );
  }
  const understood = Object.entries(rest).filter(([name]) => Object.hasOwn(UNDERSTOOD, name));
  return {
    body: { messages, ...Object.fromEntries(understood) },
    signal: readRequestOptions(requestOptions).signal ?? signal,
  };
}

/** @throws {AtomoeError} bad-input - as `readChatBody` */
export function readChatRequest(given: unknown, requestOptions: unknown): CheckedChatRequest {
  const { body, signal } = readChatBody(given, requestOptions);
  return {
    messages: body.messages,
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
    count: body.n ?? 1,
    options: { ...generateOptions(body), ...(signal ? { signal } : {}) },
  };
}

const REQUEST_OPTIONS = {
  signal: abortSignal,
  headers: passed,
  idempotencyKey: passed,
  maxRetries: passed,
  timeout: never('has no timeout: give signal: AbortSignal.timeout(ms)'),
  stream: oneOf(true, false),
};

export function readRequestOptions(options: unknown): { signal?: AbortSignal } {
  return readFields<{ signal?: AbortSignal }>(
    options,
    REQUEST_OPTIONS as unknown as Table<{ signal?: AbortSignal }>,
    { what: 'the second argument of create' },
  );
}

function generateOptions(request: Partial<ChatBody>): GenerateOptions {
  const { max_completion_tokens: newer, max_tokens: older, temperature, seed, stop, tools } = request;
  const { logprobs = false, top_logprobs: top } = request;
  const { chat_template_kwargs: variables, reasoning_effort: effort } = request;
  const options = {
    temperature,
    seed,
    stop,
    tools,
    logprobs: logprobs ? (top ?? 0) : undefined,
    ...optionsOf({
      ...request,
      max_tokens: newer ?? older,
      chat_template_kwargs: effort === undefined ? variables : { reasoning_effort: effort, ...variables },
    }),
    ...request.atomoe,
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
