import { describe, expect, test } from 'vitest';
import { messagesOf, type ContextRule } from './context-rule.ts';
import type { Turn } from './conversation.ts';
import { turnsToLeaveOut } from './leave-out.ts';

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

const turnsOf = (count: number, leftOut: number[], tokens: number, rule: ContextRule = 'drop-oldest') => {
  const turns = talk(count);
  const takes = async (out: readonly number[]): Promise<number> =>
    10 * turns.filter(({ id }) => !out.includes(id)).length;
  return turnsToLeaveOut(turns, leftOut, { rule, tokens, takes });
};

describe('a conversation that is longer than the context', () => {
  test('nothing is left out where all of it fits', async () => {
    expect(await turnsOf(5, [], 50)).toEqual([]);
    expect(await turnsOf(5, [0, 1], 50)).toEqual([]); // it fits again
  });

  test('the oldest exchanges go, down to three quarters of the room', async () => {
    // 70 of 60: two exchanges go, and 30 remain, which is the first at or below 45.
    expect(await turnsOf(7, [], 60)).toEqual([0, 1, 2, 3]);
  });

  test('what was left out stays out, so that the rest need not be computed again', async () => {
    expect(await turnsOf(9, [0, 1, 2, 3], 60)).toEqual([0, 1, 2, 3]);
    expect(await turnsOf(11, [0, 1, 2, 3], 60)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('the first exchange is kept where that is the rule', async () => {
    expect(await turnsOf(7, [], 60, 'keep-first')).toEqual([2, 3, 4, 5]);
  });

  test('the last exchange is never left out, and `refuse` leaves out nothing', async () => {
    expect(await turnsOf(3, [], 5)).toEqual([0, 1]);
    expect(await turnsOf(3, [], 5, 'keep-first')).toEqual([]);
    expect(await turnsOf(7, [], 5, 'refuse')).toEqual([]);
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
