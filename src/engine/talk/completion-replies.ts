/** Replies in the OpenAI shape: whole ones, and streams of chunks. */
import { AtomoeError } from '../../errors.ts';
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionStream,
  ChatCompletionUsage,
  ChatDetails,
  ChatLogprobs,
  ChatTokenLogprob,
  GenerateEvent,
  GenerateOptions,
  Session,
  TokenLogprob,
  Usage,
} from '../api.ts';
import type { CheckedChatRequest } from './completions-request.ts';
import { byFieldNames } from './field-names.ts';
import { onAbort, ReplyStream } from './reply-stream.ts';

/** What all chunks of a reply have. */
export type CompletionHead = Pick<ChatCompletion, 'id' | 'created' | 'model' | 'system_fingerprint'>;
type TokenEvent = Extract<GenerateEvent, { kind: 'token' }>;
type DoneEvent = Extract<GenerateEvent, { kind: 'done' }>;

/** What was known of a reply when it was asked for. */
export interface CompletionFacts {
  readonly createdMs: number;
  readonly model: string;
  readonly fingerprint: readonly unknown[]; // what the text depends on beside the request
}

/** The head of a reply's chunks. */
export function headOf({ createdMs, model, fingerprint }: CompletionFacts): CompletionHead {
  return {
    id: newId('chatcmpl'),
    created: Math.floor(createdMs / 1000),
    model,
    system_fingerprint: fingerprintOf(fingerprint),
  };
}

/** Random: two engines, pages or visits never give the same id. */
export function newId(kind: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(15));
  return `${kind}-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** Says which backend answers: FNV-1a of what it depends on, to tell apart and not to prove. */
function fingerprintOf(facts: readonly unknown[]): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(JSON.stringify(facts))) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return `fp_${hash.toString(16).padStart(8, '0')}`;
}

/** The session is opened by the first read, so that a stream that is never read holds nothing. */
export function streamed(
  head: CompletionHead,
  open: () => Session,
  request: CheckedChatRequest,
): ChatCompletionStream {
  return abortableStream(request.options.signal, (signal, onEnd) =>
    chunks(head, open, { ...request, options: { ...request.options, signal } }, onEnd),
  );
}

/**
 * A stream with a controller of its own, which follows the caller's signal.
 *
 * @param make - makes the chunks, calls `onEnd` when the signal is no longer needed
 */
export function abortableStream<T>(
  given: AbortSignal | undefined,
  make: (signal: AbortSignal, onEnd: () => void) => AsyncGenerator<T, void, undefined>,
): AsyncIterable<T> & { readonly controller: AbortController } {
  const controller = new AbortController();
  const { signal } = controller;
  const unfollow = onAbort(given, () => controller.abort(given?.reason));
  const stream = new ReplyStream(() => make(signal, unfollow), unfollow);
  onAbort(signal, stream.finish);
  return { controller, [Symbol.asyncIterator]: () => stream };
}

type ChunkChoice = ChatCompletionChunk['choices'][number];

async function* chunks(
  head: CompletionHead,
  open: () => Session,
  { messages, options, includeUsage, count }: CheckedChatRequest,
  onEnd: () => void,
): AsyncGenerator<ChatCompletionChunk, void, undefined> {
  const chunk = (
    choices: ChunkChoice[],
    usage: { usage?: ChatCompletionUsage | null } = includeUsage ? { usage: null } : {},
  ): ChatCompletionChunk => ({ ...head, object: 'chat.completion.chunk', choices, ...usage });
  const session = open();
  const ends: DoneEvent[] = [];
  let ending: ChunkChoice[] = [];
  try {
    for (const [index, seeded] of seededOptions(options, count).entries()) {
      for (const choice of ending) yield chunk([choice]);
      const reply = byFieldNames(session.generate(messages, seeded));
      ending = yield* deltas(reply, index, (choice) => chunk([choice]), ends);
    }
  } finally {
    onEnd();
    session.dispose(); // before the last chunks: a reader may stop at any of them
  }
  for (const choice of ending) yield chunk([choice]);
  if (includeUsage) yield chunk([], { usage: usageOf(ends.map(({ usage }) => usage)) });
}

/** @returns the options of each reply: each has a seed of its own, the first one that of the request */
export function seededOptions(options: GenerateOptions, count: number): GenerateOptions[] {
  if (count === 1) return [options];
  const { seed = Math.floor(Math.random() * 2 ** 32) } = options;
  return Array.from({ length: count }, (_, index) => ({ ...options, seed: seed + index }));
}

/**
 * Chunks of one reply.
 *
 * @param ends - gets the reply's last event
 * @returns what the chunks with which it ends have
 */
async function* deltas(
  reply: AsyncIterable<GenerateEvent>,
  index: number,
  chunk: (choice: ChunkChoice) => ChatCompletionChunk,
  ends: DoneEvent[],
): AsyncGenerator<ChatCompletionChunk, ChunkChoice[], undefined> {
  const said = (delta: ChunkChoice['delta'], logprobs: ChatLogprobs | null = null): ChunkChoice => ({
    index,
    delta,
    logprobs,
    finish_reason: null,
  });
  let done: DoneEvent | undefined;
  let shown = 0;
  let thought = 0;
  let hasBegun = false;
  for await (const event of reply) {
    // Not before: what is wrong with the prompt is an error of the first read.
    if (!hasBegun) yield chunk(said({ role: 'assistant', content: '', refusal: null }));
    hasBegun = true;
    if (event.kind === 'done') done = event;
    if (event.kind !== 'token') continue;
    const { text, reasoning = '' } = event;
    shown += text.length;
    thought += reasoning.length;
    const logprobs = event.token ? logprobsOf([entryOf(event, event.token)]) : null;
    if (text + reasoning !== '' || logprobs) yield chunk(said(deltaOf(text, reasoning), logprobs));
  }
  if (!done) throw goneInMidReply();
  ends.push(done);
  // What was held back for a marker, a stop string or half a character.
  const [text, reasoning] = [done.text.slice(shown), (done.reasoning ?? '').slice(thought)];
  const calls = done.toolCalls?.map((call, at) => ({ index: at, ...call }));
  return [
    ...(text + reasoning === '' ? [] : [said(deltaOf(text, reasoning))]),
    ...(calls ? [said({ tool_calls: calls })] : []),
    { ...said({}), ...endOf(done) },
  ];
}

function deltaOf(text: string, reasoning: string): { content?: string; reasoning_content?: string } {
  if (reasoning === '') return { content: text };
  return { ...(text === '' ? {} : { content: text }), reasoning_content: reasoning };
}

/** The session is held while the reply is made. */
export async function whole(
  head: CompletionHead,
  open: () => Session,
  { messages, options, count }: CheckedChatRequest,
): Promise<ChatCompletion> {
  const session = open();
  const choices: ChatCompletion['choices'] = [];
  const usages: Usage[] = [];
  try {
    for (const [index, seeded] of seededOptions(options, count).entries()) {
      const { choice, usage } = await wholeReply(
        byFieldNames(session.generate(messages, seeded)),
        index,
        seeded,
      );
      choices.push(choice);
      usages.push(usage);
    }
  } finally {
    session.dispose();
  }
  return { ...head, object: 'chat.completion', choices, usage: usageOf(usages) };
}

async function wholeReply(
  reply: AsyncIterable<GenerateEvent>,
  index: number,
  { logprobs }: CheckedChatRequest['options'],
): Promise<{ choice: ChatCompletion['choices'][number]; usage: Usage }> {
  const entries: ChatTokenLogprob[] = [];
  for await (const event of reply) {
    if (event.kind === 'token' && event.token) entries.push(entryOf(event, event.token));
    if (event.kind !== 'done') continue;
    const message = {
      role: 'assistant' as const,
      content: event.text,
      refusal: null,
      ...(event.reasoning ? { reasoning_content: event.reasoning } : {}),
      ...(event.toolCalls ? { tool_calls: [...event.toolCalls] } : {}),
    };
    const choice = {
      index,
      message,
      logprobs: logprobs === undefined ? null : logprobsOf(entries),
      ...endOf(event),
    };
    return { choice, usage: event.usage };
  }
  throw goneInMidReply();
}

export function goneInMidReply(): AtomoeError {
  return new AtomoeError(
    'disposed',
    'the engine went away in mid-reply; open it again and repeat the request',
  );
}

/** OpenAI knows no stopped reply: to its clients it is one that ended. */
export function endOf({ reason, seed, timings, trace, lossy, decoding, toolCalls }: DoneEvent) {
  const own = { ...(trace ? { trace } : {}), ...(lossy ? { lossy } : {}), ...(decoding ? { decoding } : {}) };
  const atomoe: ChatDetails = { reason, seed, timings, ...own };
  if (reason === 'stop' && toolCalls) return { finish_reason: 'tool_calls' as const, atomoe };
  return { finish_reason: reason === 'abort' ? ('stop' as const) : reason, atomoe };
}

function logprobsOf(content: ChatTokenLogprob[]): ChatLogprobs {
  return { content, refusal: null };
}

function entryOf({ alternatives = [] }: TokenEvent, token: TokenLogprob): ChatTokenLogprob {
  const shape = ({ text, bytes, logprob }: TokenLogprob) => ({
    token: text,
    bytes: bytes && [...bytes],
    logprob,
  });
  return { ...shape(token), top_logprobs: alternatives.map(shape) };
}

/** Of all replies to one prompt, which counts once. */
function usageOf(usages: readonly Usage[]): ChatCompletionUsage {
  const sum = (count: (usage: Usage) => number) => usages.reduce((total, usage) => total + count(usage), 0);
  const prompt_tokens = usages[0]?.promptTokens ?? 0;
  const completion_tokens = sum((usage) => usage.completionTokens);
  const reasoning_tokens = sum((usage) => usage.reasoningTokens ?? 0);
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    ...(reasoning_tokens > 0 ? { completion_tokens_details: { reasoning_tokens } } : {}),
  };
}
