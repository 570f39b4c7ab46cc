import { expect, test } from 'vitest';
import {
  chosenBy,
  describeChoice,
  expertsPerToken,
  firstDifference,
  formatWeight,
  markDifferences,
  nameToken,
  type Run,
} from './compare.ts';

/** A run of a prompt `Once` and tokens; `|` parts them. */
function run(text: string): Run {
  const tokens = text.split('|').map((each) => ({ text: each, isPrompt: false }));
  return { tokens: [{ text: 'Once', isPrompt: true }, ...tokens], routes: [] };
}

test.each([
  ['the same', ' a| fox', ' a| fox', '', 0],
  ['one word in the middle', ' a| red| fox', ' a| blue| fox', ' blue', 1],
  ['a word of two tokens, one of which is the same', ' a| kit|ten', ' a| mit|ten', ' mitten', 1],
  ['a word more', ' a| fox', ' a| big| fox', ' big', 1],
  ['a word less', ' a| big| fox', ' a| fox', '', 0],
  ['signs belong to their word', ' a| fox|.', ' a| fox|!', ' fox!', 1],
  ['nothing in common', ' a| fox', ' one| dog', ' one dog', 2],
])('%s', (_name, first, second, marked, words) => {
  const other = run(second);
  const found = markDifferences(other, run(first));
  const texts = other.tokens.filter((_token, index) => found.isDifferent[index]).map(({ text }) => text);
  expect([texts.join(''), found.words]).toEqual([marked, words]);
});

test('the first token that differs', () => {
  expect(firstDifference(run(' a| fox'), run(' a| fox'))).toBeUndefined();
  expect(firstDifference(run(' a| fox'), run(' a| dog'))).toBe(2);
  expect(firstDifference(run(' a'), run(' a| dog'))).toBe(2);
});

test('choices in numbers and words', () => {
  const routes = [
    { ids: [[3, 7], []], weights: [[0.41, 0.001], []] },
    { ids: [[1], [2]], weights: [[1], [1]] },
  ];
  const read: Run = { ...run(' a'), routes };
  expect(chosenBy(read, 0, 0)).toEqual([
    { expert: 3, weight: 0.41 },
    { expert: 7, weight: 0.001 },
  ]);
  expect(describeChoice(chosenBy(read, 0, 0))).toBe('3 (0.41), 7 (1e-3)');
  expect(describeChoice(chosenBy(read, 0, 1))).toBe('none');
  expect(describeChoice(chosenBy(read, 9, 0))).toBe('not read');
  const many = Array.from({ length: 10 }, (_, expert) => ({ expert, weight: expert }));
  expect(describeChoice(many)).toMatch(/^9 \(9\.00\), .* and 2 more$/);
  expect(expertsPerToken(read)).toBe(1);
  expect(formatWeight(0)).toBe('0.00');
});

test('tokens by their letters', () => {
  expect(['', ' fox', ' \n', undefined].map(nameToken)).toEqual([
    'the beginning',
    '“fox”',
    '“␣↵”',
    'nothing',
  ]);
});
