/** What a model is given of a conversation that is longer than its context. */
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
