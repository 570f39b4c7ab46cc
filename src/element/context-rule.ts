/**
 * What a model is given of a conversation that is longer than its context. The tokenizer is in the engine's worker, so
 * lengths are estimated from characters; where an estimate was too low the engine refuses the prompt, and more is left out.
 */
import type { ChatMessage, ChatTool } from '../engine/api.ts';
import type { Turn } from './conversation.ts';

/**
 * What is left out where a conversation would not fit its context with room for the reply:
 * 'drop-oldest' the oldest exchanges; 'keep-first' those after the first one; 'refuse' nothing: the reply fails.
 */
export type ContextRule = 'drop-oldest' | 'keep-first' | 'refuse';

/** The names of the rules. */
export const CONTEXT_RULES: readonly ContextRule[] = ['drop-oldest', 'keep-first', 'refuse'];

/**
 * Once something has to go, so much goes that the rest takes this share of the room. What remains then stays the same for
 * several replies, and the session reuses the keys and values that it has of it.
 */
const SHARE_AFTER_CUT = 0.75;

/** The room that a conversation has. */
export interface ContextRoom {
  readonly rule: ContextRule;
  readonly tokens: number; // of the context, less those that the reply may take
  /** Tokens per character of text; undefined while no reply has told. Then nothing is left out but on request. */
  readonly tokensPerCharacter: number | undefined;
  readonly systemPrompt: string;
}

/**
 * @param turns - those that are shown; the last exchange is never left out
 * @param leftOut - ids that were left out before; they stay so, unless all turns fit again
 * @returns ids of the turns to leave out
 */
export function turnsToLeaveOut(
  turns: readonly Turn[],
  leftOut: readonly number[],
  room: ContextRoom,
): readonly number[] {
  const { rule, tokens, tokensPerCharacter = 0, systemPrompt } = room;
  const takes = (without: readonly number[]): number => {
    const kept = turns.filter(({ id }) => !without.includes(id));
    return kept.reduce((sum, { text }) => sum + text.length, systemPrompt.length) * tokensPerCharacter;
  };
  if (rule === 'refuse') return [];
  if (takes([]) <= tokens) return tokensPerCharacter === 0 ? leftOut : [];
  let out = leftOut;
  if (takes(out) <= tokens) return out;
  while (takes(out) > tokens * SHARE_AFTER_CUT) {
    const more = leaveOutMore(turns, out, rule);
    if (!more) break;
    out = more;
  }
  return out;
}

/** Leaves out one more exchange. @returns undefined where there is none that may go */
export function leaveOutMore(
  turns: readonly Turn[],
  leftOut: readonly number[],
  rule: ContextRule,
): readonly number[] | undefined {
  if (rule === 'refuse') return undefined;
  const exchanges = exchangesOf(turns);
  const candidates = exchanges.slice(rule === 'keep-first' ? 1 : 0, -1);
  const next = candidates.find((exchange) => exchange.some(({ id }) => !leftOut.includes(id)));
  return next && [...leftOut, ...next.map(({ id }) => id).filter((id) => !leftOut.includes(id))];
}

/** A message and what followed it up to the next one. */
function exchangesOf(turns: readonly Turn[]): Turn[][] {
  const exchanges: Turn[][] = [];
  for (const turn of turns) {
    if (turn.role === 'user' || exchanges.length === 0) exchanges.push([]);
    exchanges.at(-1)?.push(turn);
  }
  return exchanges;
}

/**
 * Messages for a model with a chat template. Failed replies are left out; messages that had no reply are joined, since many
 * templates want the sides to take turns.
 */
export function messagesOf(
  turns: readonly Turn[],
  systemPrompt: string,
  tools: readonly ChatTool[] = [],
): readonly ChatMessage[] {
  const messages: ChatMessage[] = [];
  if (systemPrompt.trim() !== '') messages.push({ role: 'system', content: systemPrompt });
  for (const turn of turns) {
    if (turn.status === 'failed' || turn.status === 'streaming') continue;
    const last = messages.at(-1);
    if (turn.role === 'user' && last?.role === 'user') {
      messages[messages.length - 1] = { role: 'user', content: `${String(last.content)}\n\n${turn.text}` };
    } else messages.push(messageOf(turn, tools));
  }
  return messages;
}

function messageOf({ role, text, thoughts, toolCalls }: Turn, tools: readonly ChatTool[]): ChatMessage {
  return {
    role,
    content: text,
    ...(thoughts === '' ? {} : { reasoning_content: thoughts }),
    ...(toolCalls && tools.length > 0 ? { tool_calls: toolCalls } : {}),
  };
}
