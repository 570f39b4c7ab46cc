/** The OpenAI shape over sessions: each call is a conversation of its own. */
import { AtomoeError } from '../../errors.ts';
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletions,
  ChatCompletionStream,
  ChatCompletionUsage,
  ChatDetails,
  ChatLogprobs,
  ChatTokenLogprob,
  GenerateEvent,
  Session,
  TokenLogprob,
  Usage,
} from '../api.ts';
import { readChatRequest, type CheckedChatRequest } from './completions-request.ts';
import { onAbort, ReplyStream } from './reply-stream.ts';

/** What completions need of an engine. */
export interface CompletionsHost {
  /** @returns what opens a session of the model that is loaded now; throws where there is none */
  readonly prepare: () => () => Session;
  readonly modelLabel: () => string;
  readonly fingerprint: () => string;
}

type Head = Pick<ChatCompletion, 'id' | 'created' | 'model' | 'system_fingerprint'>;
type TokenEvent = Extract<GenerateEvent, { kind: 'token' }>;
type DoneEvent = Extract<GenerateEvent, { kind: 'done' }>;

/** OpenAI's `chat.completions` over sessions of an engine. */
export function makeCompletions(host: CompletionsHost): ChatCompletions {
  const create = async (body: unknown, options?: unknown) => {
    const request = readChatRequest(body, options);
    request.options.signal?.throwIfAborted();
    const open = host.prepare();
    const head: Head = {
      id: newId(),
      created: Math.floor(Date.now() / 1000),
      model: host.modelLabel(),
      system_fingerprint: host.fingerprint(),
    };
    return request.stream ? streamed(head, open, request) : whole(head, open, request);
  };
  return { create: create as ChatCompletions['create'] };
}

/** Random: two engines, pages or visits never give the same id. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(15));
  return `chatcmpl-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** Says which backend answers: FNV-1a of what it depends on, to tell apart and not to prove. */
export function fingerprintOf(facts: readonly unknown[]): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(JSON.stringify(facts))) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return `fp_${hash.toString(16).padStart(8, '0')}`;
}

/** The session is opened by the first read, so that a stream that is never read holds nothing. */
function streamed(head: Head, open: () => Session, request: CheckedChatRequest): ChatCompletionStream {
  const controller = new AbortController();
  const { signal } = controller;
  const follow = () => controller.abort(request.options.signal?.reason);
  const unfollow = onAbort(request.options.signal, follow);
  const followed = { ...request, options: { ...request.options, signal } };
  const stream = new ReplyStream(() => chunks(head, open, followed, unfollow), unfollow);
  onAbort(signal, stream.finish);
  return { controller, [Symbol.asyncIterator]: () => stream };
}

async function* chunks(
  head: Head,
  open: () => Session,
  { messages, options, includeUsage }: CheckedChatRequest,
  onEnd: () => void,
): AsyncGenerator<ChatCompletionChunk, void, undefined> {
  type Choice = ChatCompletionChunk['choices'][number];
  const chunk = (
    choices: Choice[],
    usage: { usage?: ChatCompletionUsage | null } = includeUsage ? { usage: null } : {},
  ): ChatCompletionChunk => ({ ...head, object: 'chat.completion.chunk', choices, ...usage });
  const said = (delta: Choice['delta'], logprobs: ChatLogprobs | null = null): Choice => ({
    index: 0,
    delta,
    logprobs,
    finish_reason: null,
  });
  const session = open();
  let done: DoneEvent | undefined;
  let shown = 0;
  let thought = 0;
  try {
    let hasBegun = false;
    for await (const event of session.generate(messages, options)) {
      // Not before: what is wrong with the prompt is an error of the first read.
      if (!hasBegun) yield chunk([said({ role: 'assistant', content: '', refusal: null })]);
      hasBegun = true;
      if (event.kind === 'done') done = event;
      if (event.kind !== 'token') continue;
      const { text, reasoning = '' } = event;
      shown += text.length;
      thought += reasoning.length;
      const logprobs = event.token ? logprobsOf([entryOf(event, event.token)]) : null;
      if (text + reasoning !== '' || logprobs) yield chunk([said(deltaOf(text, reasoning), logprobs)]);
    }
  } finally {
    onEnd();
    session.dispose(); // before the last chunks: a reader may stop at any of them
  }
  if (!done) throw goneInMidReply();
  // What was held back for a marker, a stop string or half a character.
  const [text, reasoning] = [done.text.slice(shown), (done.reasoning ?? '').slice(thought)];
  if (text + reasoning !== '') yield chunk([said(deltaOf(text, reasoning))]);
  const calls = done.toolCalls?.map((call, index) => ({ index, ...call }));
  if (calls) yield chunk([said({ tool_calls: calls })]);
  yield chunk([{ ...said({}), ...endOf(done) }]);
  if (includeUsage) yield chunk([], { usage: usageOf(done.usage) });
}

function deltaOf(text: string, reasoning: string): { content?: string; reasoning_content?: string } {
  if (reasoning === '') return { content: text };
  return { ...(text === '' ? {} : { content: text }), reasoning_content: reasoning };
}

async function whole(
  head: Head,
  open: () => Session,
  { messages, options }: CheckedChatRequest,
): Promise<ChatCompletion> {
  const entries: ChatTokenLogprob[] = [];
  const session = open();
  try {
    for await (const event of session.generate(messages, options)) {
      if (event.kind === 'token' && event.token) entries.push(entryOf(event, event.token));
      if (event.kind !== 'done') continue;
      const message = {
        role: 'assistant' as const,
        content: event.text,
        refusal: null,
        ...(event.reasoning ? { reasoning_content: event.reasoning } : {}),
        ...(event.toolCalls ? { tool_calls: [...event.toolCalls] } : {}),
      };
      const logprobs = options.logprobs === undefined ? null : logprobsOf(entries);
      return {
        ...head,
        object: 'chat.completion',
        choices: [{ index: 0, message, logprobs, ...endOf(event) }],
        usage: usageOf(event.usage),
      };
    }
    throw goneInMidReply();
  } finally {
    session.dispose();
  }
}

function goneInMidReply(): AtomoeError {
  return new AtomoeError(
    'disposed',
    'the engine went away in mid-reply; open it again and repeat the request',
  );
}

/** OpenAI knows no stopped reply: to its clients it is one that ended. */
function endOf({ reason, seed, timings, trace, lossy, decoding, toolCalls }: DoneEvent) {
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

function usageOf({ promptTokens, completionTokens, reasoningTokens }: Usage): ChatCompletionUsage {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    ...(reasoningTokens === undefined
      ? {}
      : { completion_tokens_details: { reasoning_tokens: reasoningTokens } }),
  };
}
