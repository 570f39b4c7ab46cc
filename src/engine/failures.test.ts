import { expect, test } from 'vitest';
import { typed } from './failures.ts';

test('a part of the library that does not load is told as such', async () => {
  const name = './no-such-part.ts';
  const error = await typed(undefined, () => import(/* @vite-ignore */ name)).catch(
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code: 'network', message: expect.stringContaining('no-such-part.ts') });
});

test.each([
  'Failed to fetch dynamically imported module: https://a.example/chunks/open-a1.js', // Chrome
  'error loading dynamically imported module: https://a.example/chunks/open-a1.js', // Firefox
  'Importing a module script failed.', // Safari
])('%s', async (message) => {
  const failing = () => Promise.reject(new TypeError(message));
  await expect(typed(undefined, failing)).rejects.toMatchObject({ code: 'network' });
});
