/** Which turns of a conversation a model is not given. Loaded with the first reply of a chat. */
import type { ContextRule } from './context-rule.ts';
import type { Turn } from './conversation.ts';

/**
 * Once something has to go, so much goes that the rest takes this share of the room. What remains then stays the same for
 * several replies, and the session reuses the keys and values that it has of it.
 */
const SHARE_AFTER_CUT = 0.75;

/** The room that a conversation has. */
export interface ContextRoom {
  readonly rule: ContextRule;
  readonly tokens: number; // of the context, less those that the reply may take
  /** How many tokens the model would be given without these turns. */
  takes(leftOut: readonly number[]): Promise<number>;
}

/**
 * @param turns - those that are shown; the last exchange is never left out
 * @param leftOut - ids that were left out before; they stay so, unless all turns fit again
 * @returns ids of the turns to leave out
 */
export async function turnsToLeaveOut(
  turns: readonly Turn[],
  leftOut: readonly number[],
  { rule, tokens, takes }: ContextRoom,
): Promise<readonly number[]> {
  if (rule === 'refuse' || (await takes([])) <= tokens) return [];
  if (leftOut.length > 0 && (await takes(leftOut)) <= tokens) return leftOut;
  let out = leftOut;
  do {
    const more = leaveOutMore(turns, out, rule);
    if (!more) break;
    out = more;
  } while ((await takes(out)) > tokens * SHARE_AFTER_CUT);
  return out;
}

/** Leaves out one more exchange. @returns undefined where there is none that may go */
function leaveOutMore(
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
