/** Conversations as a file that people keep, and as records on the device: JSON, checked field by field when it is read. */
import { AtomoeError } from '../errors.ts';
import type { Conversation, ReplyFigures, Turn } from './conversation.ts';

/** A conversation that is kept. */
export interface SavedConversation {
  readonly id: string; // a UUID
  readonly title: string; // how its first message begins
  readonly changedAtMs: number; // since 1970
  readonly conversation: Conversation;
}

const FORMAT = 'atomoe.conversations';
const VERSION = 1;
const TITLE_LENGTH = 80;
const STATUSES = ['complete', 'streaming', 'stopped', 'failed'] as const;
const REASONS = ['stop', 'length', 'abort'] as const;

/** How a list shows a conversation. */
export function titleOf({ turns }: Conversation): string {
  const text = (turns.find(({ role }) => role === 'user')?.text ?? '').trim().replace(/\s+/g, ' ');
  return text.length > TITLE_LENGTH ? `${text.slice(0, TITLE_LENGTH - 1)}…` : text;
}

/** Whether a text is anywhere in a conversation, in versions that are not shown, too. */
export function mentions({ conversation }: SavedConversation, text: string): boolean {
  const wanted = text.trim().toLocaleLowerCase();
  return conversation.turns.some((turn) => turn.text.toLocaleLowerCase().includes(wanted));
}

/** @returns the text of a file */
export function writeConversations(conversations: readonly SavedConversation[]): string {
  return JSON.stringify({ format: FORMAT, version: VERSION, conversations }, undefined, 1);
}

/**
 * Reads what `writeConversations` wrote.
 *
 * @throws {AtomoeError} bad-file - it is no such file, or of a later version
 */
export function readConversations(text: string): readonly SavedConversation[] {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw notOurs('it is not JSON');
  }
  if (!isRecord(file) || file['format'] !== FORMAT) throw notOurs(`its format is not "${FORMAT}"`);
  if (file['version'] !== VERSION) {
    throw notOurs(`its version is ${String(file['version'])}, and this page reads ${VERSION}`);
  }
  const { conversations } = file;
  if (!Array.isArray(conversations)) throw notOurs('it has no list of conversations');
  return conversations.map(readSaved);
}

function readSaved(value: unknown): SavedConversation {
  if (!isRecord(value)) throw notOurs('a conversation is not an object');
  const { id, title, changedAtMs, conversation } = value;
  if (typeof id !== 'string' || typeof title !== 'string' || typeof changedAtMs !== 'number') {
    throw notOurs('a conversation has no id, title or time');
  }
  return { id, title, changedAtMs, conversation: readConversation(conversation) };
}

/**
 * Checks a conversation that comes from elsewhere. Replies that were in progress are stopped ones.
 *
 * @throws {AtomoeError} bad-file - it is none
 */
export function readConversation(value: unknown): Conversation {
  if (!isRecord(value) || !Array.isArray(value['turns'])) throw notOurs('a conversation has no turns');
  const known = new Set<number>();
  const turns = value['turns'].map((each: unknown) => {
    const turn = readTurn(each);
    if (known.has(turn.id) || (turn.parent !== undefined && !known.has(turn.parent))) {
      throw notOurs(`turn ${turn.id} is there twice, or comes before the one that it follows`);
    }
    known.add(turn.id);
    return turn;
  });
  const chosen = Array.isArray(value['chosen']) ? value['chosen'] : [];
  return { turns, chosen: chosen.filter((id): id is number => known.has(id as number)) };
}

function readTurn(value: unknown): Turn {
  if (!isRecord(value)) throw notOurs('a turn is not an object');
  const { id, parent, role, text, thoughts = '', status } = value;
  const isSound =
    Number.isSafeInteger(id) &&
    (parent === undefined || Number.isSafeInteger(parent)) &&
    (role === 'user' || role === 'assistant') &&
    typeof text === 'string' &&
    typeof thoughts === 'string' &&
    STATUSES.some((each) => each === status);
  if (!isSound) throw notOurs('a turn has fields that are missing or of another type');
  const kept = { id, parent, role, text, thoughts } as Turn;
  return {
    ...kept,
    status: status === 'streaming' ? 'stopped' : (status as Turn['status']),
    ...readCalls(value['toolCalls']),
    ...readFigures(value['figures']),
  };
}

/** What is not as it should be is left out: it is not what was said. */
function readCalls(value: unknown): Pick<Turn, 'toolCalls'> {
  if (!Array.isArray(value)) return {};
  const toolCalls = value.flatMap((call: unknown) => {
    const called = isRecord(call) ? call['function'] : undefined;
    if (!isRecord(call) || !isRecord(called)) return [];
    const { name, arguments: given } = called;
    if (typeof call['id'] !== 'string' || typeof name !== 'string' || typeof given !== 'string') return [];
    return { id: call['id'], type: 'function' as const, function: { name, arguments: given } };
  });
  return toolCalls.length > 0 ? { toolCalls } : {};
}

function readFigures(value: unknown): Pick<Turn, 'figures'> {
  if (!isRecord(value)) return {};
  const { reason, seed, completionTokens, contextTokens, firstTokenMs, tokensPerSecond } = value;
  const numbers = { seed, completionTokens, contextTokens, firstTokenMs, tokensPerSecond };
  const isSound = Object.values(numbers).every((each) => typeof each === 'number');
  if (!isSound || !REASONS.some((each) => each === reason)) return {};
  return { figures: { reason, ...numbers } as ReplyFigures };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function notOurs(why: string): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `this is no file of conversations: ${why}; choose one that was exported here`,
  );
}
