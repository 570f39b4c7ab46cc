/** Models at hosts that are not ours, through the engine. */
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test, vi } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { httpFolder } from '../io/http.ts';
import { noStorage } from '../io/storage.ts';
import { host, pour, type Answer } from '../io/testing/host.ts';
import type { LoadOptions } from './api.ts';
import { createEngine } from './index.ts';

const MODEL = resolve(import.meta.dirname, '../../fixtures/models/olmoe');
const names = await readdir(MODEL);
const files = Object.fromEntries(
  await Promise.all(names.map(async (name) => [name, await readFile(join(MODEL, name))] as const)),
);
const storage = noStorage('a test');
const options: LoadOptions = { contextTokens: 8, diskCache: false };

async function failure(promise: Promise<unknown>): Promise<AtomoeError> {
  const error: unknown = await promise.then(
    () => expect.fail('succeeded'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AtomoeError);
  return error as AtomoeError;
}

/** Wants to be told who asks. */
const guarded: Answer = ({ request, response }) =>
  request.headers.authorization === 'Bearer hf_t0ken' ? false : void response.writeHead(401).end();

test('headers are the engine’s, or those of one model', async () => {
  await using server = await host(files, guarded);
  const headers = { authorization: 'Bearer hf_t0ken' };
  const trusted = await createEngine({ device: 'cpu', storage, headers });
  expect((await trusted.plan(server.url, options)).notes).toEqual([]);
  const info = await trusted.load(server.url, options);
  expect(info.label).toBe(server.url);
  const wrong = { ...options, headers: { authorization: 'Bearer wr0ng' } };
  expect((await failure(trusted.plan(server.url, wrong))).message).not.toContain('wr0ng');
  trusted.dispose();

  const without = await createEngine({ device: 'cpu', storage });
  const error = await failure(without.plan(server.url, options));
  expect(error.message).toMatch(
    /config.json: the server answered 401, 206 was wanted; .*headers: \{ authorization/,
  );
  await without.plan(server.url, { ...options, headers });
  const fetch_: typeof fetch = (input, init) =>
    fetch(input, { ...init, headers: { ...(init?.headers as Record<string, string>), ...headers } });
  await without.plan(server.url, { ...options, fetch: fetch_ });
  without.dispose();
});

test.each<[what: string, answer: unknown, shown: RegExp]>([
  ['nothing', undefined, /what fetch resolved to is undefined; wanted a Response/],
  ['half of a Response', { ok: true, status: 200 }, /what fetch resolved to is an object; wanted a Response/],
])('a fetch of one’s own that gives %s is refused, and not tried again', async (_, answer, shown) => {
  const engine = await createEngine({ device: 'cpu', storage });
  const broken = vi.fn(async () => answer as Response);
  const error = await failure(engine.plan('https://m.example/toy/', { ...options, fetch: broken }));
  expect(error.code).toBe('bad-input');
  expect(error.message).toMatch(shown);
  expect(broken.mock.calls.length).toBeLessThan(4); // one for each file that is asked for at once
  engine.dispose();
});

test('a host without ranges is told of, and each file comes once', async () => {
  const plain: Answer = ({ bytes, response }) => {
    if (!bytes) return false;
    response.writeHead(200, {
      'content-length': bytes.byteLength,
      'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT',
    });
    void pour(response, [bytes]);
  };
  await using server = await host(files, plain);
  const engine = await createEngine({ device: 'cpu', storage });
  const { notes, bytes } = await engine.plan(server.url, options);
  expect(notes).toEqual([
    { kind: 'no-ranges', message: expect.stringContaining(` ${bytes.download} bytes at once`) },
  ]);
  expect((await engine.plan(httpFolder(server.url), options)).notes).toEqual(notes);
  server.log.length = 0;
  await engine.load(server.url, options);
  const weights = server.log.filter(({ name }) => name === 'model.safetensors');
  expect(weights.map(({ range }) => range)).toEqual(['bytes=0-65535', undefined]);
  engine.dispose();
});

test('a folder that is none names what was perhaps meant', async () => {
  await using server = await host({});
  const engine = await createEngine({ device: 'cpu', storage });
  const error = await failure(engine.plan(`${server.url}org/name`, options));
  expect(error.code).toBe('bad-file');
  expect(error.message).toMatch(
    /config.json is missing .*; for "org\/name" of the Hugging Face hub give https:\/\/huggingface.co\/org\/name\/resolve/,
  );
  engine.dispose();
});
