/** OpenAI's request for the continuation of texts, field by field. */
import { AtomoeError } from '../../errors.ts';
import type { GenerateOptions, TextCompletionRequest } from '../api.ts';
import {
  abortSignal,
  fields,
  flag,
  guarded,
  listOf,
  readFields,
  refuse,
  text,
  wholeFrom,
  type Check,
  type Table,
} from '../checks.ts';
import { GENERATE } from '../options.ts';
import { optionsOf } from './field-names.ts';
import { neutral, passed, readRequestOptions, stops } from './completions-request.ts';

/** A text, or token ids. */
export type PlainPrompt = string | readonly number[];

/** A request that was checked: plain data but for the signal. */
export interface CheckedTextRequest {
  readonly prompts: readonly PlainPrompt[];
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly count: number; // of replies to each prompt
  readonly echo: boolean;
  readonly maxTokens: number; // 0: nothing is generated
  readonly options: GenerateOptions; // maxTokens among them, where it is not 0
}

/** OpenAI's. */
const MAX_TOKENS = 16;
const MOST_PROMPTS = 1000;
const MOST_IDS = 10_000_000;

const ids = listOf(wholeFrom(0), MOST_IDS, 'a list of token ids');
const onePrompt: Check<PlainPrompt> = (value, name) => (typeof value === 'string' ? value : ids(value, name));

/** One prompt or a list of them: a list of numbers is one. */
const promptList: Check<readonly PlainPrompt[]> = (value, name) => {
  if (typeof value === 'string') return [value];
  const first = guarded(name, () => (Array.isArray(value) && value.length > 0 ? [value[0]] : undefined));
  if (!first) return refuse(name, value, 'text, token ids, or a list of one of them');
  if (typeof first[0] === 'number') return [ids(value, name)];
  return listOf(onePrompt, MOST_PROMPTS, 'a list of prompts')(value, name);
};

interface TextFields {
  readonly prompt: readonly PlainPrompt[];
  readonly model: string;
  readonly stream: boolean;
  readonly stream_options: { include_usage: boolean; include_obfuscation: boolean };
  readonly max_tokens: number;
  readonly temperature: number;
  readonly top_p: number;
  readonly top_k: number;
  readonly min_p: number;
  readonly repetition_penalty: number;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly n: number;
  readonly echo: boolean;
  readonly logprobs: number;
  readonly logit_bias: Readonly<Record<string, number>>;
  readonly presence_penalty: number;
  readonly frequency_penalty: number;
  readonly atomoe: Pick<GenerateOptions, 'hooks' | 'tensors' | 'trace' | 'decoding'>;
  readonly signal: AbortSignal;
}

const UNDERSTOOD: Table<TextFields> = {
  prompt: promptList,
  model: text,
  stream: flag,
  stream_options: fields({ include_usage: flag, include_obfuscation: flag }),
  max_tokens: (value, name) => (value === 0 ? 0 : GENERATE.maxTokens(value, name)),
  temperature: GENERATE.temperature,
  top_p: GENERATE.topP,
  top_k: GENERATE.topK,
  min_p: GENERATE.minP,
  repetition_penalty: GENERATE.repetitionPenalty,
  seed: GENERATE.seed,
  stop: stops,
  n: wholeFrom(1, 128),
  echo: flag,
  logprobs: GENERATE.logprobs,
  logit_bias: GENERATE.logitBias,
  presence_penalty: GENERATE.presencePenalty,
  frequency_penalty: GENERATE.frequencyPenalty,
  atomoe: fields({
    hooks: GENERATE.hooks,
    tensors: GENERATE.tensors,
    trace: GENERATE.trace,
    decoding: GENERATE.decoding,
  }),
  signal: abortSignal,
};

const NEUTRAL = {
  user: passed,
  suffix: neutral((value) => value === '', 'writes what follows a text, and not what is between two'),
};

/** @throws {AtomoeError} bad-input - names the field, what it is, and what it may be */
export function readTextRequest(given: unknown, requestOptions: unknown): CheckedTextRequest {
  const names = { what: 'the request', kind: 'field' };
  const table = { ...UNDERSTOOD, ...NEUTRAL, best_of: bestOf(given) };
  const request = readFields<Partial<TextFields>>(given, table as Table<Partial<TextFields>>, names);
  const { prompt: prompts, echo = false, max_tokens: maxTokens = MAX_TOKENS } = request;
  if (!prompts) {
    throw new AtomoeError(
      'bad-input',
      'the request has no prompt; wanted text or token ids; write the beginning of a text',
    );
  }
  if (maxTokens === 0 && !echo) {
    throw new AtomoeError(
      'bad-input',
      'max_tokens is 0 without echo: true; wanted at least 1, or both; set echo for the prompt alone',
    );
  }
  const signal = readRequestOptions(requestOptions).signal ?? request.signal;
  return {
    prompts,
    echo,
    maxTokens,
    stream: request.stream ?? false,
    includeUsage: request.stream_options?.include_usage ?? false,
    count: request.n ?? 1,
    options: generateOptions(request, maxTokens, signal),
  };
}

/** As many as `n` are all of them. */
function bestOf(given: unknown): Check<unknown> {
  const { n } = guarded('the request', () => ({ n: (given as Partial<TextCompletionRequest> | null)?.n }));
  return neutral((value) => value === (n ?? 1), 'gives every reply that it makes, and not the best of more');
}

function generateOptions(
  request: Partial<TextFields>,
  maxTokens: number,
  signal: AbortSignal | undefined,
): GenerateOptions {
  const { temperature, seed, stop, logprobs, atomoe } = request;
  const own = { temperature, seed, stop, logprobs, signal };
  const options = { ...own, ...optionsOf({ ...request, max_tokens: Math.max(1, maxTokens) }), ...atomoe };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
