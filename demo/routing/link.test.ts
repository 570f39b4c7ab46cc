import { expect, test } from 'vitest';
import { DEFAULTS, formatLink, parseLink, type Comparison } from './link.ts';
import { DESCRIBED } from './rules.ts';

test('a link says all of a comparison', () => {
  const comparison: Comparison = {
    text: 'The old king & his “fox” = 100 % #1,\nsaid',
    a: 'relu',
    b: DESCRIBED,
    textA: '',
    textB: '{\n  "router": {\n    "k": "a & b"\n  }\n}',
    layer: 5,
    token: 7,
    edits: [
      { layer: 2, expert: 5, kind: 'mute' },
      { layer: 0, expert: 31, kind: 'mute' },
      { layer: 5, expert: 0, kind: 'steer' },
    ],
    steering: -1.25,
    scores: true,
    length: 12,
    temperature: 0.7,
    seed: 99,
  };
  expect(parseLink(formatLink(comparison))).toEqual(comparison);
  expect(formatLink(comparison)).toContain('describedB=%7B%22router%22%3A%7B%22'); // in one line
  expect(parseLink(formatLink(DEFAULTS))).toEqual(DEFAULTS);
  const wrong = { ...DEFAULTS, a: DESCRIBED, textA: '{"router": ', steering: 'off' } as const;
  expect(parseLink(formatLink(wrong))).toEqual(wrong);
});

test.each([
  ['', DEFAULTS],
  ['#a=nothing&b=constructor&layer=6&length=65&seed=-1&temperature=abc&token=x', DEFAULTS],
  ['#a=described&b=described&describedB=', DEFAULTS],
  ['#steering=5', DEFAULTS],
  ['#steering=', DEFAULTS],
  ['#force=2.5', { ...DEFAULTS, edits: [{ layer: 2, expert: 5, kind: 'steer' }] }],
  ['#temperature=3&layer=1.5&length=0&mute=&force=,', DEFAULTS],
  ['#mute=2.5,2.5,6.0,0.32,a.b,-1.2,2.5.1', { ...DEFAULTS, edits: [{ layer: 2, expert: 5, kind: 'mute' }] }],
])('%j: what is not understood has its default', (hash, wanted) => {
  expect(parseLink(hash)).toEqual(wanted);
});

test('a text is not longer than the field', () => {
  expect(parseLink(`#text=${'a'.repeat(1000)}`).text).toHaveLength(400);
  expect(parseLink(`#describedA=${'a'.repeat(5000)}`).textA).toHaveLength(4000);
});
