import { describe, expect, test } from 'vitest';
import { beyondBounds, parseWithPythonNumbers } from './json-text.ts';

describe('bounds', () => {
  const bounds = { depth: 2, values: 5 };

  test.each([
    ['{"a": [1, 2]}', undefined], // two brackets, one comma
    ['[[], [], []]', /more than 5 values/],
    ['[[[]]]', /deeper than 2 levels/],
    ['[[[', /deeper than 2 levels/],
    ['[1,1,1,1,1,1]', /more than 5 values/],
    ['["[[[[,,,,,,"]', undefined],
    ['["\\"[[[[,,,,,,"]', undefined], // an escaped quote ends no string
    ['["\\\\", [[]]]', /deeper than 2 levels/], // an escaped backslash before the quote that does
    ['["[[[[', undefined], // no JSON, but nothing to fear
    ['', undefined],
  ])('%s', (text, beyond) => {
    const found = beyondBounds(text, bounds);
    if (beyond) expect(found).toMatch(beyond);
    else expect(found).toBeUndefined();
  });
});

describe('numbers as Python writes them', () => {
  test.each([
    ['NaN', Number.NaN],
    ['[-Infinity,Infinity]', [-Infinity, Infinity]],
    ['{"NaN": NaN, "a": "Infinity"}', { NaN: Number.NaN, a: 'Infinity' }],
    ['{"a": "\\\\", "b": NaN}', { a: '\\', b: Number.NaN }],
    ['[1e400]', [Infinity]],
  ])('%s', (text, value) => {
    expect(parseWithPythonNumbers(text)).toEqual(value);
  });

  test.each(['{', 'Infinit', 'NaNNaN', '[Infinity', '-NaN', '"NaN'])('%s is none', (text) => {
    expect(() => parseWithPythonNumbers(text)).toThrow(SyntaxError);
  });
});
