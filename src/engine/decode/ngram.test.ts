import { describe, expect, test } from 'vitest';
import { draftOf } from './ngram.ts';

describe('drafts', () => {
  test.each<[what: string, said: number[], longest: number, count: number, draft: number[]]>([
    ['nothing recurs', [1, 2, 3], 3, 4, []],
    ['what followed the last token', [1, 2, 3, 1], 3, 2, [2, 3]],
    ['the longest run counts', [5, 1, 2, 9, 1, 7, 5, 1], 3, 2, [2, 9]],
    ['a shorter run, where the longer does not recur', [5, 1, 2, 9, 1, 7, 6, 1], 3, 2, [7, 6]],
    ['the last of several', [1, 2, 8, 1, 2, 9, 1, 2], 2, 1, [9]],
    ['no longer than asked for', [1, 2, 3, 4, 5, 1], 3, 2, [2, 3]],
    ['it goes on as it began where it reaches itself', [7, 1, 2, 1, 2], 2, 5, [1, 2, 1, 2, 1]],
    ['one token that repeats', [4, 4], 3, 3, [4, 4, 4]],
    ['none wanted', [1, 1], 3, 0, []],
  ])('%s', (_, said, longest, count, draft) => {
    expect(draftOf(said, longest, count)).toEqual(draft);
  });
});
