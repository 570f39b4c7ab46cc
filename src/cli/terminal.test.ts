import { expect, test } from 'vitest';
import { withoutEscapes } from './terminal.ts';
import { table } from './words.ts';

test('what a terminal would obey is shown instead', () => {
  expect(withoutEscapes('a\u001b[2Jb\u009b31m\u0007\n\tc\r\nd\re')).toBe(
    'a\\u001b[2Jb\\u009b31m\\u0007\n\tc\r\nd e',
  );
});

test('a name from a file stays on its line of a table', () => {
  expect(
    table([
      ['x\ny', '1'],
      ['\u001b[H', '2'],
    ]),
  ).toBe('x y       1\n\\u001b[H  2\n');
});
