import { describe, expect, test } from 'vitest';
import { leaveOutMore, messagesOf, turnsToLeaveOut, type ContextRule } from './context-rule.ts';
import type { Turn } from './conversation.ts';

/** Turns of ten characters each, from both sides in turn. */
function talk(count: number): Turn[] {
  return Array.from({ length: count }, (_, id) => ({
    id,
    parent: id === 0 ? undefined : id - 1,
    role: id % 2 === 0 ? 'user' : 'assistant',
    text: `${id}`.padEnd(10, '.'),
    thoughts: '',
    status: 'complete',
  }));
}

const room = (tokens: number, rule: ContextRule = 'drop-oldest') => {
  return { rule, tokens, tokensPerCharacter: 1, systemPrompt: '' };
};

describe('a conversation that is longer than the context', () => {
  test('nothing is left out where all of it fits', () => {
    expect(turnsToLeaveOut(talk(5), [], room(50))).toEqual([]);
    expect(turnsToLeaveOut(talk(5), [0, 1], room(50))).toEqual([]); // it fits again
  });

  test('the oldest exchanges go, down to three quarters of the room', () => {
    // 70 of 60: two exchanges go, and 30 remain, which is the first at or below 45.
    expect(turnsToLeaveOut(talk(7), [], room(60))).toEqual([0, 1, 2, 3]);
  });

  test('what was left out stays out, so that the rest need not be computed again', () => {
    expect(turnsToLeaveOut(talk(9), [0, 1, 2, 3], room(60))).toEqual([0, 1, 2, 3]);
    expect(turnsToLeaveOut(talk(11), [0, 1, 2, 3], room(60))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('the first exchange is kept where that is the rule', () => {
    expect(turnsToLeaveOut(talk(7), [], room(60, 'keep-first'))).toEqual([2, 3, 4, 5]);
  });

  test('the last exchange is never left out, and `refuse` leaves out nothing', () => {
    expect(turnsToLeaveOut(talk(3), [], room(5))).toEqual([0, 1]);
    expect(turnsToLeaveOut(talk(7), [], room(5, 'refuse'))).toEqual([]);
    expect(leaveOutMore(talk(3), [0, 1], 'drop-oldest')).toBeUndefined();
    expect(leaveOutMore(talk(3), [], 'keep-first')).toBeUndefined();
    expect(leaveOutMore(talk(3), [], 'refuse')).toBeUndefined();
  });

  test('the system prompt takes room, and stays', () => {
    const systemPrompt = 's'.repeat(20);
    expect(turnsToLeaveOut(talk(5), [], { ...room(50), systemPrompt })).toEqual([0, 1, 2, 3]);
  });

  test('lengths unknown: only what was left out on request', () => {
    const unknown = { ...room(5), tokensPerCharacter: undefined };
    expect(turnsToLeaveOut(talk(5), [0, 1], unknown)).toEqual([0, 1]);
  });
});

describe('messages for a model', () => {
  test('failed replies are left out, and messages without a reply joined', () => {
    const [first, failed, second] = talk(3);
    const turns = [first!, { ...failed!, status: 'failed' as const }, second!];
    expect(messagesOf(turns, ' ')).toEqual([{ role: 'user', content: '0.........\n\n2.........' }]);
  });

  test('system prompt first; thoughts, and calls of tools that the reply has, go back', () => {
    const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } } as const;
    const tool = { type: 'function', function: { name: 'f' } } as const;
    const turns = talk(2).map((turn) => ({ ...turn, thoughts: turn.id === 1 ? 'hm' : '' }));
    const asked = [turns[0]!, { ...turns[1]!, toolCalls: [call] }];
    const said = { role: 'assistant', content: '1.........', reasoning_content: 'hm' };
    expect(messagesOf(asked, 'Be brief.', [tool])).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: '0.........' },
      { ...said, tool_calls: [call] },
    ]);
    expect(messagesOf(asked, '')[1]).toEqual(said); // a reply without tools: templates refuse calls then
  });
});
