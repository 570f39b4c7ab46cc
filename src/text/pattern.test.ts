import { describe, expect, test } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { Pattern, withPatternBudget } from './pattern.ts';
import { fableFiles } from './text.test-support.ts';
import { openTokenizer } from './tokenizer.ts';

const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const LLAMA3 = String.raw`(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const O200K = String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?:'[sS]|'[tT]|'[dD])?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const DEEPSEEK = String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_\u0060{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const OTHERS = [
  String.raw`\d{1,3}(?=(?:\d{3})*(?!\d))`,
  String.raw`(?<=\n)[a-z]+|(?<![a-z])[A-Z]`,
  String.raw`a+?b?|(?:ab|a)(?:c|bcd)(?:d*)`,
  String.raw`(?:a|b)*?c|(?:a*)*d|x{2,4}?y{0,2}z{3}`,
  String.raw`(?:)|q`,
  String.raw`(?=[\s\S]*e)[aeiou]`,
  String.raw`[\u{1F300}-\u{1FAFF}]+|(?:(?=(?:\p{Ll}|[0-4]))[\s\S])`,
];
const TEXTS = [
  "Hello world, it's  12345 o'clock!\r\n\n  Isn't IT?  ",
  'naïve CAFÉ — “quotes” … 森の狐🦊👩‍👩‍👧‍👦 ไทย\u00a0\ufeffx\t\t y',
  'abcd aaab ababc xxxyyzzz aab\nabc Q1,234,567 __init__(self)\n\n\n',
  ' '.repeat(40) + 'a' + '\n'.repeat(5) + '   ',
  '',
];

describe('finds what JavaScript finds', () => {
  test.each([GPT2, LLAMA3, O200K, DEEPSEEK, ...OTHERS])('%s', (source) => {
    const pattern = new Pattern({ source });
    for (const text of TEXTS) {
      const wanted = Array.from(text.matchAll(new RegExp(source, 'gu')), (match) => [match.index, match[0]]);
      const actual = withPatternBudget(text.length, () =>
        Array.from(pattern[Symbol.matchAll](text), (match) => [match.index, match[0]]),
      );
      expect(actual).toEqual(wanted);
    }
  });
});

test('stands in for a RegExp in the methods of text', () => {
  const pattern = new Pattern({ source: '[,;]+' }) as unknown as RegExp;
  expect(['a,b;;c'.match(pattern), 'a,b;;c'.split(pattern), 'a,b;;c'.replaceAll(pattern, '$&')]).toEqual([
    [',', ';;'],
    ['a', 'b', 'c'],
    'a$&b$&c',
  ]);
  const literal = new Pattern({ literal: '..' }) as unknown as RegExp;
  expect(['a..b...'.match(literal), 'a..b...'.split(literal)]).toEqual([
    ['..', '..'],
    ['a', 'b', '.'],
  ]);
});

/** A tokenizer whose pre-tokenizer or normalizer is this. */
function encoder(change: Record<string, unknown>) {
  return openTokenizer({ tokenizerJson: { ...fableFiles().tokenizerJson, ...change } });
}

const split = (Regex: string) => ({
  pre_tokenizer: { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false },
});
const long = 'a'.repeat(20_000);

describe('patterns that take JavaScript for good', () => {
  test.each(['(a+)+$', '(a|a)*b', '(a|aa)+c', '(?:a*)*b', 'a*a*a*a*a*b', '(?:(?:a+)+)+b', '(a?){50}b'])(
    '%s',
    async (regex) => {
      const tokenizer = await encoder(split(regex));
      const start = performance.now();
      let error: unknown;
      try {
        tokenizer.encode(`${long}!`);
      } catch (caught) {
        error = caught;
      }
      if (error !== undefined) expect(error).toMatchObject({ code: 'bad-file' });
      expect(performance.now() - start).toBeLessThan(2000);
    },
  );

  test('a look ahead over the rest, at every letter', async () => {
    const tokenizer = await encoder(split('(?=[a-z]*?1)a'));
    expect(() => tokenizer.encode(`${long.repeat(4)}1`)).toThrow(AtomoeError);
  });
});

test('added tokens are normalized within bounds, too', async () => {
  const tokenizer = await encoder({
    normalizer: { type: 'Replace', pattern: { Regex: '(b+)+!$' }, content: 'c' },
    added_tokens: [
      { id: 0, content: '<|endoftext|>', special: true },
      { id: 5, content: `${'b'.repeat(250)}?`, normalized: true },
      { id: 6, content: 'bb!', normalized: true },
    ],
  });
  expect(tokenizer.encode('bb!')).toEqual([6]);
  expect(tokenizer.encode('<|endoftext|>')).toEqual([0]);
});

test.each([
  [{ normalizer: { type: 'Sequence', normalizers: Array.from({ length: 40 }, () => replace('a', 'aa')) } }],
  [{ normalizer: replace('a', 'b'.repeat(1000)) }],
  [{ normalizer: { type: 'Replace', pattern: { Regex: 'a|(?:)' }, content: 'b'.repeat(1000) } }],
])('a normalizer that makes too much of a text: %#', async (change) => {
  const tokenizer = await encoder(change);
  expect(() => tokenizer.encode(long)).toThrow(expect.objectContaining({ code: 'bad-file' }));
});

test.each([
  [
    { normalizer: { type: 'Sequence', normalizers: Array.from({ length: 99 }, () => replace('a', 'b')) } },
    'bad-file',
  ],
  [
    {
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: Array.from({ length: 9 }, () => ({ type: 'ByteLevel' })),
      },
    },
    'bad-file',
  ],
  [{ pre_tokenizer: { type: 'Metaspace', replacement: '   ' } }, 'bad-file'],
  [split('a'.repeat(20_000)), 'bad-file'],
  [split('(?:(?:a{100}){100}){100}'), 'unsupported-model'],
  [split('a{1,999999999}'), 'unsupported-model'],
  [split(String.raw`(a)\1`), 'unsupported-model'],
  [split('('.repeat(5000) + ')'.repeat(5000)), 'unsupported-model'],
  [split('(?<=ab+)c'), 'unsupported-model'],
  [split('(a'), 'bad-file'],
])('a part that could only run without bounds: %#', async (change, code) => {
  await expect(encoder(change)).rejects.toMatchObject({ code });
});

function replace(wanted: string, content: string) {
  return { type: 'Replace', pattern: { String: wanted }, content };
}
