/** The OpenAI shape over sessions: each call is a conversation of its own. */
import { AtomoeError } from '../errors.ts';
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ChatCompletions,
  ChatCompletionUsage,
  FinishReason,
  GenerateEvent,
  GenerateOptions,
  Session,
  Usage,
} from './api.ts';

export interface CompletionsHost {
  readonly modelLabel: () => string;
  readonly session: () => Session;
}

const KNOWN: ReadonlySet<string> = new Set<keyof ChatCompletionRequest>([
  'messages',
  'model',
  'stream',
  'stream_options',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'repetition_penalty',
  'seed',
  'stop',
  'logprobs',
  'top_logprobs',
  'signal',
]);

/** @throws {AtomoeError} bad-input - a field that is not understood */
function optionsOf(request: ChatCompletionRequest): GenerateOptions {
  const stranger = Object.keys(request).find((name) => !KNOWN.has(name));
  if (stranger !== undefined) {
    throw new AtomoeError(
      'bad-input',
      `chat.completions.create does not know "${stranger}"; wanted one of ${[...KNOWN].join(', ')}; leave it out`,
    );
  }
  const maxTokens = request.max_completion_tokens ?? request.max_tokens;
  const { temperature, top_p: topP, top_k: topK, min_p: minP, seed, stop, signal } = request;
  const options: Record<string, unknown> = {
    maxTokens,
    temperature,
    topP,
    topK,
    minP,
    repetitionPenalty: request.repetition_penalty,
    seed,
    stop: typeof stop === 'string' ? [stop] : stop,
    logprobs: request.logprobs === true ? (request.top_logprobs ?? 0) : undefined,
    signal,
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

export function makeCompletions(host: CompletionsHost): ChatCompletions {
  let count = 0;
  const create = async (request: ChatCompletionRequest) => {
    const options = optionsOf(request);
    count += 1;
    const head = {
      id: `chatcmpl-${count}`,
      created: Math.floor(Date.now() / 1000),
      model: host.modelLabel(),
    };
    const session = host.session();
    const events = session.generate(request.messages, options);
    if (request.stream === true) {
      return chunks(head, session, events, request.stream_options?.include_usage === true);
    }
    return whole(head, session, events);
  };
  return { create: create as ChatCompletions['create'] };
}

interface Head {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

async function* chunks(
  head: Head,
  session: Session,
  events: AsyncIterable<GenerateEvent>,
  includeUsage: boolean,
): AsyncGenerator<ChatCompletionChunk, void, undefined> {
  const chunk = (
    delta: { role?: 'assistant'; content?: string },
    reason: FinishReason | null,
  ): ChatCompletionChunk => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, finish_reason: reason }],
  });
  try {
    yield chunk({ role: 'assistant', content: '' }, null);
    let shown = 0;
    for await (const event of events) {
      if (event.kind === 'token' && event.text.length > 0) {
        shown += event.text.length;
        yield chunk({ content: event.text }, null);
      }
      if (event.kind === 'done') {
        const rest = event.text.slice(shown); // what was held back for a stop string or half a character
        if (rest.length > 0) yield chunk({ content: rest }, null);
        yield { ...chunk({}, event.reason), ...(includeUsage ? { usage: usageOf(event.usage) } : {}) };
      }
    }
  } finally {
    session.dispose();
  }
}

async function whole(
  head: Head,
  session: Session,
  events: AsyncIterable<GenerateEvent>,
): Promise<ChatCompletion> {
  const logprobs: NonNullable<ChatCompletion['choices'][number]['logprobs']>['content'] = [];
  try {
    for await (const event of events) {
      if (event.kind === 'token' && event.logprob !== undefined) {
        const top = (event.alternatives ?? []).map(({ text, logprob }) => ({ token: text, logprob }));
        logprobs.push({ token: event.text, logprob: event.logprob, top_logprobs: top });
      }
      if (event.kind === 'done') {
        const message = { role: 'assistant' as const, content: event.text };
        const found = logprobs.length > 0 ? { content: logprobs } : null;
        return {
          ...head,
          object: 'chat.completion',
          choices: [{ index: 0, message, finish_reason: event.reason, logprobs: found }],
          usage: usageOf(event.usage),
        };
      }
    }
    throw new AtomoeError(
      'disposed',
      'the engine went away in mid-reply; open it again and repeat the request',
    );
  } finally {
    session.dispose();
  }
}

function usageOf({ promptTokens, completionTokens }: Usage): ChatCompletionUsage {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}
