import { afterEach, expect, test, vi } from 'vitest';
import { startError, type StartFailure } from './start-error.ts';
import { isAsBuilt } from './start.ts';

afterEach(() => vi.unstubAllGlobals());

const address = new URL('https://app.example/lib/worker.js?key=secret');
const file: StartFailure = { address, violations: [], reason: undefined };

function onPage(response: () => Response): void {
  vi.stubGlobal('origin', 'https://app.example');
  vi.stubGlobal('fetch', async () => response());
}

const scripts = { headers: { 'content-type': 'text/javascript' } };

test.each<[string, () => Response, string, RegExp]>([
  [
    'missing',
    () => new Response('', { status: 404 }),
    'network',
    /worker\.js answered 404; wanted: a module/,
  ],
  [
    'a page',
    () => new Response('', { headers: { 'content-type': 'text/html' } }),
    'network',
    /is text\/html/,
  ],
  [
    'hidden',
    () => {
      throw new TypeError('no');
    },
    'network',
    /cannot be fetched/,
  ],
  ['broken', () => new Response('', scripts), 'device-lost', /is there but does not run/],
])('a worker script that is %s', async (_, response, code, says) => {
  onPage(response);
  const error = await startError(file);
  expect(error.code).toBe(code);
  expect(error.message).toMatch(says);
  expect(error.message).not.toContain('secret');
});

test('a worker script without a file that it loads later', async () => {
  onPage(() => new Response('', scripts));
  const reason =
    'Uncaught TypeError: Failed to fetch dynamically imported module: https://h.example/serve.js';
  await expect(startError({ ...file, reason })).resolves.toMatchObject({
    code: 'network',
    message: expect.stringContaining(reason),
  });
});

test('a policy that forbids it, alone and after a missing file', async () => {
  onPage(() => new Response('', { status: 404 }));
  const violations = [{ effectiveDirective: 'worker-src', blockedURI: 'blob' }];
  const far = { ...file, address: new URL('https://cdn.example/worker.js'), violations };
  expect((await startError(far)).message).toMatch(
    /^The page's content policy \(worker-src\) forbids .*wanted: worker-src 'self' blob:\. Allow it, serve/,
  );
  const others = [{ effectiveDirective: 'style-src-elem', blockedURI: 'inline' }];
  expect((await startError({ ...file, violations: others })).message).toMatch(/answered 404; wanted/);
  expect((await startError(file, { ...file, violations })).message).toMatch(
    /answered 404, and the page's content policy \(worker-src\) forbids .*wanted: worker-src 'self' blob:\./,
  );
});

test('a module knows the package by its path, whatever a bundler says of it', () => {
  const is = (url: string | undefined) => isAsBuilt(url, 'chunks/open-1.js');
  expect(is('https://cdn.example/atomoe/dist/chunks/open-1.js?v=2')).toBe(true);
  expect(is('https://app.example/assets/index-2.js')).toBe(false);
  expect(is('file:///home/me/app/node_modules/atomoe/dist/chunks/open-1.js')).toBe(false);
  expect(is(undefined)).toBe(false);
});
