import { describe, expect, test } from 'vitest';
import {
  EMPTY_CONVERSATION,
  shownTurns,
  toMarkdown,
  withChanged,
  withChosen,
  withoutTurn,
  withTurn,
  type Conversation,
  type Turn,
} from './conversation.ts';

type Step = readonly [parent: number | undefined, role: Turn['role'], text: string];

/** Ids are the places in the list. */
function conversationOf(...steps: readonly Step[]): Conversation {
  return steps.reduce<Conversation>((before, [parent, role, text], id) => {
    return withTurn(before, { id, parent, role, text, thoughts: '', status: 'complete' });
  }, EMPTY_CONVERSATION);
}

const shown = (conversation: Conversation): string[] => shownTurns(conversation).map(({ text }) => text);

// Two versions of the question; two replies to the first, and a question after the second of these.
const branched = conversationOf(
  [undefined, 'user', 'q1'],
  [0, 'assistant', 'a1'],
  [0, 'assistant', 'a2'],
  [2, 'user', 'more'],
  [undefined, 'user', 'q2'],
  [4, 'assistant', 'b1'],
);

describe('a conversation', () => {
  test('begins empty', () => {
    expect(shownTurns(EMPTY_CONVERSATION)).toEqual([]);
  });

  test('shows what was said last, and knows the versions of each turn', () => {
    expect(shown(branched)).toEqual(['q2', 'b1']);
    expect(shownTurns(branched)[0]?.versions).toEqual([0, 4]);
    expect(shownTurns(branched)[1]?.versions).toEqual([5]);
  });

  test('a chosen version brings back what followed it', () => {
    const first = withChosen(branched, 0);
    expect(shown(first)).toEqual(['q1', 'a2', 'more']);
    const other = withChosen(first, 1);
    expect(shown(other)).toEqual(['q1', 'a1']);
    expect(shown(withChosen(withChosen(other, 4), 0))).toEqual(['q1', 'a1']); // remembered
    expect(shown(withChosen(other, 99))).toEqual(['q1', 'a1']);
  });

  test('a new turn is shown, even where another version was chosen', () => {
    const first = withChosen(withChosen(branched, 0), 1);
    const turn = { role: 'assistant', text: 'a3', thoughts: '', status: 'complete' } as const;
    const conversation = withTurn(first, { ...turn, id: 6, parent: 0 });
    expect(shown(conversation)).toEqual(['q1', 'a3']);
    expect(shownTurns(conversation)[1]?.versions).toEqual([1, 2, 6]);
  });

  test('without a turn, what followed it is gone, and another version is shown', () => {
    const first = withChosen(branched, 0);
    expect(shown(withoutTurn(first, 2))).toEqual(['q1', 'a1']);
    expect(withoutTurn(first, 0).turns.map(({ id }) => id)).toEqual([4, 5]);
    expect(shown(withoutTurn(first, 0))).toEqual(['q2', 'b1']);
    expect(shown(withoutTurn(withoutTurn(first, 0), 4))).toEqual([]);
  });

  test('nothing is changed in place', () => {
    const before = JSON.stringify(branched);
    withChanged(withoutTurn(withChosen(branched, 1), 4), 1, { text: 'other' });
    expect(JSON.stringify(branched)).toBe(before);
    expect(shown(withChanged(branched, 5, { text: 'other' }))).toEqual(['q2', 'other']);
  });

  test('as Markdown: what is shown, by who said it, with calls of tools', () => {
    const call = {
      id: 'c',
      type: 'function',
      function: { name: 'weather', arguments: '{"at":"Bern"}' },
    } as const;
    const asked = withChanged(branched, 5, { toolCalls: [call], thoughts: 'hidden' });
    expect(toMarkdown(asked, { user: 'You', assistant: 'Model' })).toBe(
      '## You\n\nq2\n\n## Model\n\nb1\n\n```json\nweather {"at":"Bern"}\n```\n',
    );
  });
});
