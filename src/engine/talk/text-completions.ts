/** OpenAI's older API: texts that go on. Over the public parts of an engine, so that it serves engines in workers as well. */
import { AtomoeError } from '../../errors.ts';
import type {
  ChatCompletionUsage,
  Engine,
  GenerateEvent,
  Session,
  TextChoice,
  TextCompletion,
  TextCompletionChunk,
  TextCompletionStream,
} from '../api.ts';
import { abortableStream, endOf, goneInMidReply, newId, seededOptions } from './completion-replies.ts';
import { byFieldNames } from './field-names.ts';
import { readTextRequest, type CheckedTextRequest, type PlainPrompt } from './text-completions-request.ts';
import { joinLogprobs, TextReport, type ReportedToken } from './text-logprobs.ts';
import { checkPromptLength } from './token-ids.ts';

type TextEngine = Pick<Engine, 'model' | 'session' | 'tokenize' | 'detokenize' | 'score'>;
type DoneEvent = Extract<GenerateEvent, { kind: 'done' }>;
type Part = TextCompletionChunk['choices'][number];
type Head = Pick<TextCompletion, 'id' | 'object' | 'created' | 'model'>;

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

/** What the choices consist of, one choice after the other; each ends before the next begins. Adds to `usage` what each took. */
async function* parts(
  engine: TextEngine,
  request: CheckedTextRequest,
  usage: ChatCompletionUsage,
): AsyncGenerator<Part, void, undefined> {
  const { prompts, count, maxTokens, options } = request;
  if (prompts.length > 1) await checkPrompts(engine, request);
  const session = engine.session();
  const last = prompts.length * count - 1;
  let ending: Part | undefined; // of the last choice
  try {
    for (const [at, prompt] of prompts.entries()) {
      const echoed = await echoOf(engine, prompt, request);
      let promptTokens = maxTokens === 0 ? await tokensIn(engine, prompt) : 0;
      for (const [reply, seeded] of seededOptions(options, count).entries()) {
        const index = at * count + reply;
        const writer = new PartWriter(index, options.logprobs !== undefined);
        if (echoed) yield writer.part(echoed.text, echoed.tokens);
        if (maxTokens === 0) ending = { ...writer.part(''), finish_reason: echoed ? 'length' : 'stop' };
        else {
          const done = yield* deltas(session, prompt, seeded, writer);
          ending = { ...writer.part(writer.rest(done.text)), ...ended(done) };
          promptTokens = done.usage.promptTokens;
          usage.completion_tokens += done.usage.completionTokens;
        }
        if (index < last) yield ending;
      }
      usage.prompt_tokens += promptTokens;
    }
  } finally {
    session.dispose(); // before the last part: a reader may stop at it
  }
  usage.total_tokens = usage.prompt_tokens + usage.completion_tokens;
  if (ending) yield ending;
}

/** What is wrong with a later prompt is said before the first reply. */
async function checkPrompts(
  engine: TextEngine,
  { prompts, maxTokens, options }: CheckedTextRequest,
): Promise<void> {
  const { contextTokens = Infinity } = engine.model?.plan ?? {};
  for (const [at, prompt] of prompts.entries()) {
    try {
      const tokens = await tokensIn(engine, prompt);
      if (typeof prompt !== 'string') await engine.detokenize(prompt); // refuses ids that the model has not
      const isRead = maxTokens > 0 || (options.logprobs !== undefined && tokens > 0);
      if (isRead) checkPromptLength(tokens, contextTokens);
    } catch (error) {
      if (!(error instanceof AtomoeError)) throw error;
      throw new AtomoeError(error.code, `prompt[${at}]: ${error.message}`, { cause: error });
    }
  }
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
  readonly #report: TextReport | undefined;
  said = 0; // letters of the reply

  constructor(index: number, reports: boolean) {
    this.#index = index;
    this.#report = reports ? new TextReport() : undefined;
  }

  part(text: string, tokens: readonly ReportedToken[] = []): Part {
    const logprobs = tokens.length > 0 ? (this.#report?.add(tokens) ?? null) : null;
    return { index: this.#index, text, logprobs, finish_reason: null };
  }

  /** What was held back for a stop string or half a character. */
  rest(text: string): string {
    return text.slice(this.said);
  }
}

interface Echo {
  readonly text: string;
  readonly tokens: readonly ReportedToken[]; // where log-probabilities were asked for
}

/** The prompt as part of the answer; none where it was not asked for, or its stream was stopped. */
async function echoOf(
  engine: TextEngine,
  prompt: PlainPrompt,
  { echo, stream, options }: CheckedTextRequest,
): Promise<Echo | undefined> {
  const { logprobs, signal } = options;
  if (!echo) return undefined;
  try {
    signal?.throwIfAborted();
    const text = typeof prompt === 'string' ? prompt : await engine.detokenize(prompt);
    return { text, tokens: logprobs === undefined ? [] : await scoredTokens(engine, prompt, text, options) };
  } catch (error) {
    if (!stream || !signal?.aborted || error !== signal.reason) throw error;
    return undefined; // as a reply that is stopped: its stream ends
  }
}

async function scoredTokens(
  engine: TextEngine,
  prompt: PlainPrompt,
  text: string,
  { logprobs = 0, signal }: CheckedTextRequest['options'],
): Promise<readonly ReportedToken[]> {
  const [first, ...others] = await engine.tokenize(prompt);
  if (first === undefined) return [];
  const options = { logprobs, ...(signal ? { signal } : {}) };
  const begin = await firstToken(engine, first, signal);
  const scored = others.length === 0 ? [] : await engine.score([first], others, options);
  return isAdded(begin.text, text) ? scored : [begin, ...scored];
}

/** The bytes of half a character are only told of a token behind another. */
async function firstToken(
  engine: TextEngine,
  id: number,
  signal: AbortSignal | undefined,
): Promise<ReportedToken> {
  const text = await engine.detokenize([id]);
  const isPart = text.includes('\ufffd');
  const [behind] = isPart ? await engine.score([id], [id], signal ? { signal } : {}) : [];
  return { id, text, bytes: behind?.bytes ?? null, logprob: null };
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
