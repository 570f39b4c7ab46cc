import { describe, expect, test } from 'vitest';
import {
  mentions,
  readConversation,
  readConversations,
  titleOf,
  writeConversations,
} from './conversation-file.ts';
import type { Turn } from './conversation.ts';

const turn: Turn = {
  id: 3,
  parent: undefined,
  role: 'user',
  text: 'Hello  there',
  thoughts: '',
  status: 'complete',
};
const reply: Turn = {
  ...turn,
  id: 5,
  parent: 3,
  role: 'assistant',
  text: 'Good Day',
  thoughts: 'hm',
  toolCalls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }],
  figures: {
    reason: 'stop',
    seed: 7,
    completionTokens: 2,
    contextTokens: 5,
    firstTokenMs: 100,
    tokensPerSecond: 10,
  },
};
const saved = {
  id: 'a',
  title: 'Hello there',
  changedAtMs: 1000,
  conversation: { turns: [turn, reply], chosen: [5] },
};

describe('conversations in a file', () => {
  test('are what was written', () => {
    expect(readConversations(writeConversations([saved]))).toEqual([saved]);
    expect(readConversations(writeConversations([]))).toEqual([]);
  });

  test('a reply in progress is a stopped one; what is unsound beside the text is left out', () => {
    const odd = { ...reply, status: 'streaming', toolCalls: [{ id: 5 }], figures: { seed: 'x' }, other: 1 };
    const { toolCalls: _, figures: __, ...plain } = reply;
    expect(readConversation({ turns: [turn, odd], chosen: [99, 5, 'x'] })).toEqual({
      turns: [turn, { ...plain, status: 'stopped' }],
      chosen: [5],
    });
  });

  test('other files are refused with the reason', () => {
    const file = (conversations: unknown) =>
      JSON.stringify({ format: 'atomoe.conversations', version: 1, conversations });
    const withTurns = (...turns: unknown[]) => file([{ ...saved, conversation: { turns } }]);
    for (const [text, why] of [
      ['no', /not JSON/],
      ['{}', /format is not/],
      ['[]', /format is not/],
      ['{"format":"atomoe.conversations","version":2}', /version is 2, and this page reads 1/],
      [file({}), /no list/],
      [file([1]), /not an object/],
      [file([{ id: 1 }]), /no id, title or time/],
      [file([{ ...saved, conversation: {} }]), /no turns/],
      [withTurns(1), /not an object/],
      [withTurns({ ...turn, text: 5 }), /missing or of another type/],
      [withTurns({ ...turn, role: 'system' }), /missing or of another type/],
      [withTurns({ ...turn, parent: 9 }), /before the one/],
      [withTurns(turn, turn), /twice/],
    ] as const) {
      expect(() => readConversations(text), text).toThrow(why);
    }
    expect(() => readConversations('no')).toThrow(expect.objectContaining({ code: 'bad-file' }));
  });

  test('titles are short, and a search looks at all that was said', () => {
    expect(titleOf(saved.conversation)).toBe('Hello there');
    const long = titleOf({ turns: [{ ...turn, text: 'word '.repeat(40) }], chosen: [] });
    expect([long.length, long.endsWith('…')]).toEqual([80, true]);
    expect(titleOf({ turns: [], chosen: [] })).toBe('');
    expect([mentions(saved, ' good day'), mentions(saved, 'night'), mentions(saved, '')]).toEqual([
      true,
      false,
      true,
    ]);
  });
});
