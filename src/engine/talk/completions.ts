/** The OpenAI shape over sessions: each call is a conversation of its own. What answers calls is loaded by the first. */
import type { ChatCompletions, Engine, Session, TextCompletions } from '../api.ts';

/** What completions need of an engine. */
export interface CompletionsHost {
  /** @returns what opens a session of the model that is loaded now; throws where there is none */
  readonly prepare: () => () => Session;
  readonly modelLabel: () => string;
  /** The same where the same seed gives the same text. */
  readonly fingerprint: () => readonly unknown[];
}

/** OpenAI's `chat.completions` over sessions of an engine. */
export function makeCompletions(host: CompletionsHost): ChatCompletions {
  const create = async (body: unknown, options?: unknown) => {
    const { readChatRequest } = await import('./completions-request.ts');
    const request = readChatRequest(body, options);
    request.options.signal?.throwIfAborted();
    const open = host.prepare();
    const facts = { createdMs: Date.now(), model: host.modelLabel(), fingerprint: host.fingerprint() };
    const { headOf, streamed, whole } = await import('./completion-replies.ts');
    const head = headOf(facts);
    return request.stream ? streamed(head, open, request) : whole(head, open, request);
  };
  return { create: create as ChatCompletions['create'] };
}

/** OpenAI's `completions` over sessions of an engine, here or in a worker. */
export function makeTextCompletions(engine: Omit<Engine, 'completions'>): TextCompletions {
  const create = async (body: unknown, options?: unknown) =>
    (await import('./text-completions.ts')).createTextCompletion(engine, body, options);
  return { create: create as TextCompletions['create'] };
}
