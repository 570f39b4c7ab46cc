import { describe, expect, test } from 'vitest';
import { lastNumber, plainText, vote } from './consistency.ts';

describe('votes', () => {
  test.each<[answers: (string | undefined)[], winner: number, counts: number[]]>([
    [['a', 'b', 'b'], 1, [2, 1]],
    [['a', 'b', 'b', 'a'], 0, [2, 2]],
    [[undefined, 'b', undefined], 1, [1]],
    [[undefined, undefined], 0, []],
    [['c', 'a', 'b', 'a', 'c', 'a'], 1, [3, 2, 1]],
  ])('%j', (answers, winner, counts) => {
    expect(vote(answers)).toEqual({ winner, counts });
  });
});

describe('answers', () => {
  test.each([
    ['So it costs $1,250.50.', '1250.5'],
    ['3 + 4 = 7', '7'],
    ['-5', '-5'],
    ['3-5', '5'],
    ['42.0 apples', '42'],
    ['5, or v2', '5'],
    ['none', undefined],
  ])('the last number of %j is %s', (text, number) => {
    expect(lastNumber(text)).toBe(number);
  });

  test('texts are the same but for spaces, capitals and the full stop', () => {
    expect(plainText(' The  Answer\nis Paris. ')).toBe('the answer is paris');
  });
});
