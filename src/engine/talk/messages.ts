/** What is said to a model, checked and rebuilt as plain data, with one text for each message. */
import { AtomoeError } from '../../errors.ts';
import type { ChatMessage } from '../api.ts';
import {
  guarded,
  isAbsent,
  isObject,
  listOf,
  oneOf,
  plainObject,
  refuse,
  show,
  text,
  wholeFrom,
  type Check,
} from '../checks.ts';

const MOST_MESSAGES = 100_000;
const MOST_PARTS = 10_000;
const MOST_CALLS = 1000;

/** A call of a tool as templates want it, and transformers gives it to them. */
interface PlainCall {
  readonly id?: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: Readonly<Record<string, unknown>> };
}

/** A message with one text. */
export interface PlainMessage extends Omit<ChatMessage, 'tool_calls'> {
  readonly content: string;
  readonly tool_calls?: readonly PlainCall[];
}

/** What a prompt is once it was checked. */
export type CheckedPrompt = string | readonly number[] | readonly PlainMessage[];

const role = oneOf<ChatMessage['role']>('system', 'developer', 'user', 'assistant', 'tool');

/** Fields that templates know and that pass as they are. */
const PASSED = ['name', 'tool_call_id', 'reasoning_content'] as const;

/** Fields that would change the answer if they were left out. */
const REFUSED = {
  function_call: 'calls of functions',
  audio: 'audio',
} as const;

/** @throws {AtomoeError} bad-input - no text, ids or messages, or a message that is not one of a text */
export function readPrompt(prompt: unknown): CheckedPrompt {
  if (typeof prompt === 'string') return prompt;
  const first = guarded('the prompt', () => (Array.isArray(prompt) ? [typeof prompt[0]] : undefined));
  if (!first) return refuse('the prompt', prompt, 'text, token ids, or a list of messages');
  return first[0] === 'number' ? readTokens(prompt, 'the prompt') : readMessages(prompt, 'messages');
}

const MOST_TOKENS = 10_000_000;

/** Whether the model has them is known where they are computed. */
const readTokens = listOf(wholeFrom(0), MOST_TOKENS, 'a list of token ids');

/** @throws {AtomoeError} bad-input - names the message, what it is, and what it may be */
export function readMessages(messages: unknown, name: string): readonly PlainMessage[] {
  const plain = listOf(readMessage, MOST_MESSAGES, 'a list of messages')(messages, name);
  if (plain.length > 0) return plain;
  throw new AtomoeError('bad-input', 'there are no messages, at least one is wanted; say something first');
}

function readMessage(message: unknown, name: string): PlainMessage {
  if (!isObject(message)) return refuse(name, message, 'a message: an object with role and content');
  const get = (field: string) => guarded(`${name}.${field}`, () => message[field]);
  const named = role(get('role'), `${name}.role`);
  for (const [field, what] of Object.entries(REFUSED)) {
    const value = get(field);
    if (isAbsent(value) || guarded(`${name}.${field}`, () => isEmptyList(value))) continue;
    throw new AtomoeError(
      'bad-input',
      `${name}.${field} holds ${what}; wanted text: this engine makes none; leave it out`,
    );
  }
  const calls = isAbsent(get('tool_calls')) ? [] : readCalls(get('tool_calls'), `${name}.tool_calls`);
  const content = get('content');
  const plain: PlainMessage = {
    role: named === 'developer' ? 'system' : named, // OpenAI's newer name for it; templates know the older
    content: calls.length > 0 && isAbsent(content) ? '' : readContent(content, `${name}.content`),
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  };
  const passed = PASSED.flatMap((field) => {
    const value = get(field);
    return isAbsent(value) ? [] : [[field, text(value, `${name}.${field}`)] as const];
  });
  return { ...plain, ...Object.fromEntries(passed) };
}

const readCall: Check<PlainCall> = (value, name) => {
  const { id, function: called } = plainObject(value, name);
  const { name: tool, arguments: given } = plainObject(called, `${name}.function`);
  return {
    ...(isAbsent(id) ? {} : { id: text(id, `${name}.id`) }),
    type: 'function',
    function: {
      name: text(tool, `${name}.function.name`),
      arguments: readArguments(given, `${name}.function.arguments`),
    },
  };
};

const readCalls = listOf(readCall, MOST_CALLS, 'a list of calls of tools');

/** An object, or the JSON of one, as OpenAI has it; nothing where the tool takes nothing. */
function readArguments(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (isAbsent(value) || value === '') return {};
  if (typeof value !== 'string') return plainObject(value, name);
  try {
    return plainObject(JSON.parse(value), name);
  } catch {
    return refuse(name, value, 'an object, or the JSON of one');
  }
}

/** Text, or parts of text, which are one text. */
function readContent(content: unknown, name: string): string {
  if (typeof content === 'string') return content;
  if (!guarded(name, () => Array.isArray(content))) {
    return refuse(name, content, 'text, or a list of text parts');
  }
  return listOf(readPart, MOST_PARTS, 'a list of text parts')(content, name).join('');
}

function readPart(part: unknown, name: string): string {
  if (typeof part === 'string') return part; // some clients leave the object out
  if (!isObject(part)) return refuse(name, part, "a part: { type: 'text', text }");
  const type = guarded(`${name}.type`, () => part['type']);
  if (type === 'text') {
    return text(
      guarded(`${name}.text`, () => part['text']),
      `${name}.text`,
    );
  }
  if (type === 'refusal') {
    return text(
      guarded(`${name}.refusal`, () => part['refusal']),
      `${name}.refusal`,
    );
  }
  throw new AtomoeError(
    'bad-input',
    `${name} is a part of type ${show(type)}; wanted text: the model reads nothing else; leave it out`,
  );
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
