import { expect, test } from 'vitest';
import { backportsLine } from './mesa.mjs';

const TARGETS = `https://deb.example/debian-security|bookworm-security|bookworm-security
https://deb.example/debian|bookworm|bookworm
https://other.example/node|nodistro|nodistro
`;

test('backports come from where the release comes from', () => {
  expect(backportsLine(TARGETS, 'bookworm')).toBe('deb https://deb.example/debian bookworm-backports main');
  const stable = TARGETS.replace('|bookworm|bookworm', '|stable|bookworm'); // named by suite in sources.list
  expect(backportsLine(stable, 'bookworm', '[signed-by=/keys] ')).toBe(
    'deb [signed-by=/keys] https://deb.example/debian bookworm-backports main',
  );
});

test('a machine whose sources have no such release has no backports', () => {
  expect(backportsLine(TARGETS, 'trixie')).toBeUndefined();
  expect(backportsLine('', 'bookworm')).toBeUndefined();
});
