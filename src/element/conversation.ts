/**
 * A conversation as plain data: a tree of turns. Turns with the same parent are versions of one another: an edited
 * message, or another reply to the same message. One version of each is shown. Everything here returns new values.
 */
import type { ChatToolCall, FinishReason } from '../engine/api.ts';

/** How a reply went. */
export interface ReplyFigures {
  readonly reason: FinishReason;
  readonly seed: number;
  readonly completionTokens: number;
  readonly contextTokens: number; // in use when it ended: prompt and reply
  readonly firstTokenMs: number; // from the request to the first token, a load included
  readonly tokensPerSecond: number; // of decoding
}

/** What one side said, once. */
export interface Turn {
  readonly id: number; // unique in its conversation, rising
  readonly parent: number | undefined; // the turn that it follows; undefined: it begins the conversation
  readonly role: 'user' | 'assistant';
  readonly text: string;
  readonly thoughts: string; // of a model that thinks before it answers; else empty
  readonly status: 'complete' | 'streaming' | 'stopped' | 'failed';
  readonly toolCalls?: readonly ChatToolCall[];
  readonly figures?: ReplyFigures; // of a reply that has ended
}

/** Turns in the order of their ids. A parent comes before its children. */
export interface Conversation {
  readonly turns: readonly Turn[];
  /** The turns that were chosen last where there are several versions; the newest of them is shown where none was. */
  readonly chosen: readonly number[];
}

/** A conversation in which nothing was said. */
export const EMPTY_CONVERSATION: Conversation = Object.freeze({
  turns: Object.freeze([]),
  chosen: Object.freeze([]),
});

/** A turn on the path that is shown, with its versions. */
export interface ShownTurn extends Turn {
  readonly versions: readonly number[]; // ids, itself among them
}

/** The turns that are shown, from the first to the last. */
export function shownTurns({ turns, chosen }: Conversation): readonly ShownTurn[] {
  const children = new Map<number | undefined, Turn[]>();
  for (const turn of turns) children.set(turn.parent, [...(children.get(turn.parent) ?? []), turn]);
  const path: ShownTurn[] = [];
  let versions = children.get(undefined);
  while (versions) {
    const turn = versions.find(({ id }) => chosen.includes(id)) ?? versions.at(-1);
    if (!turn) break;
    path.push(Object.freeze({ ...turn, versions: Object.freeze(versions.map(({ id }) => id)) }));
    versions = children.get(turn.id);
  }
  return Object.freeze(path);
}

/** Adds a turn, whose id is higher than all others; it is shown from here on. */
export function withTurn(conversation: Conversation, turn: Turn): Conversation {
  const added = { ...conversation, turns: [...conversation.turns, Object.freeze({ ...turn })] };
  return withChosen(added, turn.id);
}

/** Shows a version of a turn whose parent is shown, and the turns that followed it. An unknown id changes nothing. */
export function withChosen(conversation: Conversation, id: number): Conversation {
  const turn = conversation.turns.find((each) => each.id === id);
  if (!turn) return conversation;
  const versions = conversation.turns.filter(({ parent }) => parent === turn.parent).map((each) => each.id);
  const others = conversation.chosen.filter((each) => !versions.includes(each));
  return { ...conversation, chosen: versions.length > 1 ? [...others, id] : others };
}

/** Replaces parts of a turn. */
export function withChanged(
  conversation: Conversation,
  id: number,
  change: Partial<Omit<Turn, 'id' | 'parent' | 'role'>>,
): Conversation {
  const turns = conversation.turns.map((turn) =>
    turn.id === id ? Object.freeze({ ...turn, ...change }) : turn,
  );
  return { ...conversation, turns };
}

/** Removes a turn and everything that followed it; another version of it is shown where there is one. */
export function withoutTurn(conversation: Conversation, id: number): Conversation {
  const gone = new Set([id]);
  for (const turn of conversation.turns) {
    if (turn.parent !== undefined && gone.has(turn.parent)) gone.add(turn.id);
  }
  return {
    turns: conversation.turns.filter((turn) => !gone.has(turn.id)),
    chosen: conversation.chosen.filter((each) => !gone.has(each)),
  };
}

/** Names of the two sides in Markdown. */
export interface SpeakerNames {
  readonly user: string;
  readonly assistant: string;
}

/** The turns that are shown as Markdown, thoughts left out: a heading and the text of each, and calls of tools as code. */
export function toMarkdown(conversation: Conversation, names: SpeakerNames): string {
  return shownTurns(conversation)
    .map((turn) => `## ${names[turn.role]}\n\n${turnMarkdown(turn)}\n`)
    .join('\n');
}

/** One turn as Markdown. */
export function turnMarkdown({ text, toolCalls = [] }: Turn): string {
  const calls = toolCalls.map(
    ({ function: { name, arguments: given } }) => `\`\`\`json\n${name} ${given}\n\`\`\``,
  );
  return [text.trim(), ...calls].filter((part) => part !== '').join('\n\n');
}
