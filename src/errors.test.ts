import { expect, test } from 'vitest';
import { AtomoeError, printable } from './errors.ts';

test('a message is one line without control codes, whatever a file put into it', () => {
  const { message } = new AtomoeError('bad-file', 'a\u001b[31mb\r\nc\u009b2J\u202ed\u0000 e\ud800');
  expect(message).toBe('a\\u001b[31mb c\\u009b2J\\u202ed\\u0000 e\ufffd');
});

test('a long message keeps its beginning and its advice', () => {
  const { message } = new AtomoeError('bad-file', `model: ${'x'.repeat(1e6)}; download it again`);
  expect(message.length).toBeLessThan(1100);
  expect(message).toMatch(/^model: x+ \.\.\. x+; download it again$/);
});

test('a cut through a surrogate pair leaves no half', () => {
  const { message } = new AtomoeError('bad-file', '\u{1f600}'.repeat(1000));
  expect(message.isWellFormed()).toBe(true);
});

test('other writing systems stay as they are', () => {
  expect(printable('größe 大小 حجم 🙂')).toBe('größe 大小 حجم 🙂');
});
