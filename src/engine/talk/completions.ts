/** The OpenAI shape over sessions: each call is a conversation of its own. What answers calls is loaded by the first. */
import type { ChatCompletions, Session } from '../api.ts';
import type { CompletionHead } from './completion-replies.ts';
import { readChatRequest } from './completions-request.ts';

/** What completions need of an engine. */
export interface CompletionsHost {
  /** @returns what opens a session of the model that is loaded now; throws where there is none */
  readonly prepare: () => () => Session;
  readonly modelLabel: () => string;
  readonly fingerprint: () => string;
}

/** OpenAI's `chat.completions` over sessions of an engine. */
export function makeCompletions(host: CompletionsHost): ChatCompletions {
  const create = async (body: unknown, options?: unknown) => {
    const request = readChatRequest(body, options);
    request.options.signal?.throwIfAborted();
    const open = host.prepare();
    const head: CompletionHead = {
      id: newId(),
      created: Math.floor(Date.now() / 1000),
      model: host.modelLabel(),
      system_fingerprint: host.fingerprint(),
    };
    const { streamed, whole } = await import('./completion-replies.ts');
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
