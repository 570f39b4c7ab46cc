/** OpenAI's older API: texts that go on. Over the public parts of an engine, so that it serves engines in workers as well. */
import { AtomoeError } from '../../errors.ts';
import type {
  ChatCompletionUsage,
  Engine,
  GenerateEvent,
  ScoredToken,
  Session,
  TextChoice,
  TextCompletion,
  TextCompletionChunk,
  TextCompletionStream,
  TextLogprobs,
} from '../api.ts';
import { abortableStream, endOf, goneInMidReply, newId, seededOptions } from './completion-replies.ts';
import { byFieldNames } from './field-names.ts';
import { readTextRequest, type CheckedTextRequest, type PlainPrompt } from './text-completions-request.ts';

type TextEngine = Pick<Engine, 'model' | 'session' | 'tokenize' | 'detokenize' | 'score'>;
type DoneEvent = Extract<GenerateEvent, { kind: 'done' }>;
type Part = TextCompletionChunk['choices'][number];
type Head = Pick<TextCompletion, 'id' | 'object' | 'created' | 'model'>;

/** A token with what is reported of it; no probability where nothing comes before it. */
type ReportedToken = Pick<ScoredToken, 'text' | 'alternatives'> & { readonly logprob: number | null };

/** `completions.create`. @throws {AtomoeError} see `TextCompletions` */
export async function createTextCompletion(
  engine: TextEngine,
  body: unknown,
  requestOptions: unknown,
): Promise<TextCompletion | TextCompletionStream> {
  const request = readTextRequest(body, requestOptions);
  const { signal } = request.options;
  signal?.throwIfAborted();
  if (!engine.model) {
    throw new AtomoeError('bad-input', 'no model is loaded; wanted one to answer; load a model first');
  }
  const { label: model } = engine.model;
  const created = Math.floor(Date.now() / 1000);
  const head: Head = { id: newId('cmpl'), object: 'text_completion', created, model };
  if (!request.stream) return whole(head, engine, request);
  return abortableStream(signal, (followed, onEnd) => {
    const options = { ...request.options, signal: followed };
    return chunks(head, engine, { ...request, options }, onEnd);
  });
}

async function* chunks(
  head: Head,
  engine: TextEngine,
  request: CheckedTextRequest,
  onEnd: () => void,
): AsyncGenerator<TextCompletionChunk, void, undefined> {
  const usage = noUsage();
  const unsaid = request.includeUsage ? { usage: null } : {};
  try {
    for await (const part of parts(engine, request, usage)) yield { ...head, choices: [part], ...unsaid };
  } finally {
    onEnd();
  }
  if (request.includeUsage) yield { ...head, choices: [], usage };
}

/** The parts of each choice, put together. */
async function whole(head: Head, engine: TextEngine, request: CheckedTextRequest): Promise<TextCompletion> {
  const usage = noUsage();
  const choices: TextCompletion['choices'] = [];
  for await (const { finish_reason: reason, ...part } of parts(engine, request, usage)) {
    const before = choices[part.index];
    choices[part.index] = { ...joined(before, part), finish_reason: reason ?? 'length' };
  }
  return { ...head, choices, usage };
}

function joined(before: TextChoice | undefined, part: TextChoice): TextChoice {
  if (!before) return part;
  const [first, next] = [before.logprobs, part.logprobs];
  const logprobs = first && next ? joinLogprobs(first, next) : (first ?? next);
  return { ...before, ...part, text: before.text + part.text, logprobs };
}

function joinLogprobs(first: TextLogprobs, next: TextLogprobs): TextLogprobs {
  return {
    tokens: [...first.tokens, ...next.tokens],
    token_logprobs: [...first.token_logprobs, ...next.token_logprobs],
    top_logprobs: [...first.top_logprobs, ...next.top_logprobs],
    text_offset: [...first.text_offset, ...next.text_offset],
  };
}

/** What the choices consist of, one choice after the other. Adds to `usage` what each took. */
async function* parts(
  engine: TextEngine,
  request: CheckedTextRequest,
  usage: ChatCompletionUsage,
): AsyncGenerator<Part, void, undefined> {
  const { prompts, count, echo, maxTokens, options } = request;
  const session = engine.session();
  let ending: Part[] = [];
  try {
    for (const [at, prompt] of prompts.entries()) {
      const echoed = echo ? await echoOf(engine, prompt, options) : undefined;
      let promptTokens = maxTokens === 0 ? await tokensIn(engine, prompt) : 0;
      for (const [reply, seeded] of seededOptions(options, count).entries()) {
        yield* ending;
        const writer = new PartWriter(at * count + reply, options.logprobs !== undefined);
        if (echoed) yield writer.part(echoed.text, echoed.tokens);
        if (maxTokens === 0) {
          ending = [{ ...writer.part(''), finish_reason: 'length' }];
          continue;
        }
        const done = yield* deltas(session, prompt, seeded, writer);
        ending = [{ ...writer.part(writer.rest(done.text)), ...ended(done) }];
        promptTokens = done.usage.promptTokens;
        usage.completion_tokens += done.usage.completionTokens;
      }
      usage.prompt_tokens += promptTokens;
    }
  } finally {
    session.dispose(); // before the last part: a reader may stop at it
  }
  usage.total_tokens = usage.prompt_tokens + usage.completion_tokens;
  yield* ending;
}

async function* deltas(
  session: Session,
  prompt: PlainPrompt,
  options: CheckedTextRequest['options'],
  writer: PartWriter,
): AsyncGenerator<Part, DoneEvent, undefined> {
  for await (const event of byFieldNames(session.generate(prompt, options))) {
    if (event.kind === 'done') return event;
    if (event.kind !== 'token') continue;
    const { text, token, alternatives = [] } = event;
    writer.said += text.length;
    if (text !== '' || token) yield writer.part(text, token ? [{ ...token, alternatives }] : []);
  }
  throw goneInMidReply();
}

function ended(done: DoneEvent) {
  const { finish_reason: reason, atomoe } = endOf(done);
  return { finish_reason: reason === 'tool_calls' ? ('stop' as const) : reason, atomoe };
}

/** Makes the parts of one choice, and keeps count of what they hold. */
class PartWriter {
  readonly #index: number;
  readonly #reports: boolean;
  #offset = 0; // of the next token
  said = 0; // letters of the reply

  constructor(index: number, reports: boolean) {
    this.#index = index;
    this.#reports = reports;
  }

  part(text: string, tokens: readonly ReportedToken[] = []): Part {
    const logprobs = this.#reports && tokens.length > 0 ? this.#logprobs(tokens) : null;
    return { index: this.#index, text, logprobs, finish_reason: null };
  }

  /** What was held back for a stop string or half a character. */
  rest(text: string): string {
    return text.slice(this.said);
  }

  #logprobs(tokens: readonly ReportedToken[]): TextLogprobs {
    const offsets = tokens.map(({ text }) => {
      const offset = this.#offset;
      this.#offset += text.length;
      return offset;
    });
    return {
      tokens: tokens.map(({ text }) => text),
      token_logprobs: tokens.map(({ logprob }) => logprob),
      top_logprobs: tokens.map(topOf),
      text_offset: offsets,
    };
  }
}

/** The likeliest tokens and the one that came, by their texts. */
function topOf({ text, logprob, alternatives = [] }: ReportedToken): Record<string, number> | null {
  if (logprob === null) return null;
  const top = alternatives.map((each) => [each.text, each.logprob] as const);
  return Object.fromEntries([...top, [text, logprob]]);
}

interface Echo {
  readonly text: string;
  readonly tokens: readonly ReportedToken[]; // where log-probabilities were asked for
}

/** The prompt as part of the answer. */
async function echoOf(
  engine: TextEngine,
  prompt: PlainPrompt,
  { logprobs, signal }: CheckedTextRequest['options'],
): Promise<Echo> {
  const text = typeof prompt === 'string' ? prompt : await engine.detokenize(prompt);
  if (logprobs === undefined) return { text, tokens: [] };
  const ids = await engine.tokenize(prompt);
  const [first, ...others] = ids;
  if (first === undefined) return { text, tokens: [] };
  const begin = { text: await engine.detokenize([first]), logprob: null };
  const options = { logprobs, ...(signal ? { signal } : {}) };
  const scored = others.length === 0 ? [] : await engine.score([first], others, options);
  return { text, tokens: isAdded(begin.text, text) ? scored : [begin, ...scored] };
}

/** Whether the first token is one that the tokenizer puts before texts. Half a character cannot be compared. */
function isAdded(first: string, text: string): boolean {
  return !first.includes('\ufffd') && !text.trimStart().startsWith(first.trimStart());
}

async function tokensIn(engine: TextEngine, prompt: PlainPrompt): Promise<number> {
  return typeof prompt === 'string' ? (await engine.tokenize(prompt)).length : prompt.length;
}

function noUsage(): ChatCompletionUsage {
  return { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
}
