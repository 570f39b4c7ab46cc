/**
 * OpenAI's own client talks to an engine whose model does not fit: `atomoe serve` in another process answers.
 *
 * @module-tag full
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import process from 'node:process';
import type OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEngine, type Engine } from '../../src/engine/index.ts';
import { nodeFolder } from '../../src/io/node-file.ts';
import { openaiFetch, withRemote, type RemoteEngine, type RemoteOptions } from '../../src/openai/index.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = resolve(root, 'demo/public/models/fable-omni-8m');
const apiKey = 'sk-of-this-test';

let server: ChildProcess;
let said = ''; // by the server
let baseURL: string;
let engine: Engine;
let Client: typeof OpenAI;

beforeAll(async () => {
  const args = ['serve', folder, '--device', 'cpu', '--port', '0', '--token', apiKey];
  server = spawn(process.execPath, [resolve(root, 'bin/atomoe.js'), ...args], { cwd: root });
  server.stderr?.on('data', (data) => (said += String(data)));
  const [url] = (await once(server.stdout!, 'data')) as [Buffer];
  baseURL = String(url).trim();
  engine = await createEngine({ device: 'cpu' });
  const name = 'openai';
  ({ OpenAI: Client } = (await import(/* @vite-ignore */ name)) as { OpenAI: typeof OpenAI });
}, 120_000);

afterAll(() => {
  engine.dispose();
  server.kill('SIGINT');
});

const options = (extra: Partial<RemoteOptions> = {}): RemoteOptions => ({
  ...{ baseURL, apiKey, model: 'fable', confirm: () => true },
  ...extra,
});

function clientOf(remote: RemoteEngine): OpenAI {
  const local = { apiKey: 'none', baseURL: 'http://localhost/v1', maxRetries: 0 };
  return new Client({ ...local, fetch: openaiFetch(remote) });
}

const asked = {
  model: 'any',
  messages: [{ role: 'user' as const, content: 'Once upon a time' }],
  temperature: 0,
  max_tokens: 4,
};

test('a model that does not fit is asked of the server: whole, streamed, texts and shapes', async () => {
  const remote = withRemote(engine, options());
  expect(await remote.load(await nodeFolder(folder), { memoryBudget: 1000 })).toBe('remote');
  expect(remote.why).toMatch(/memory/);
  expect(engine.model).toBeUndefined();
  const client = clientOf(remote);
  const whole = await client.chat.completions.create(asked);
  expect(whole).toMatchObject({ ranOn: 'remote', choices: [{ message: { content: ', there was a' } }] });
  let text = '';
  for await (const chunk of await client.chat.completions.create({ ...asked, stream: true })) {
    expect(chunk).toMatchObject({ ranOn: 'remote' });
    text += chunk.choices[0]?.delta.content ?? '';
  }
  expect(text).toBe(', there was a');
  const { choices } = await client.completions.create({ model: 'any', prompt: 'Once', max_tokens: 2 });
  expect(choices[0]?.finish_reason).toBe('length');
  const schema = { enum: ['fox', 'owl'] };
  const shaped = await client.chat.completions.create({
    ...{ ...asked, max_tokens: 20 },
    response_format: { type: 'json_schema', json_schema: { name: 'animal', schema } },
  });
  expect(JSON.parse(shaped.choices[0]?.message.content ?? '')).toBeOneOf(['fox', 'owl']);
});

test('an abort ends the stream, and errors of the server are those of the client', async () => {
  const client = clientOf(withRemote(engine, options({ use: 'always' })));
  const stop = new AbortController();
  let count = 0;
  const long = { ...asked, max_tokens: 200, stream: true } as const;
  for await (const _ of await client.chat.completions.create(long, { signal: stop.signal })) {
    if (++count === 2) stop.abort();
  }
  expect(count).toBeLessThan(10);
  await expect(
    client.chat.completions.create({ ...asked, tools: [{ type: 'function', function: { name: 'a' } }] }),
  ).rejects.toMatchObject({ status: 400, message: expect.stringMatching(/no place for tools/) });
  const wrong = clientOf(withRemote(engine, options({ use: 'always', apiKey: 'another' })));
  await expect(wrong.chat.completions.create(asked)).rejects.toMatchObject({
    message: expect.stringMatching(/answered 401: .*remote\.apiKey/),
  });
  const gone = clientOf(withRemote(engine, options({ use: 'always', baseURL: 'http://127.0.0.1:9/v1' })));
  await expect(gone.chat.completions.create(asked)).rejects.toMatchObject({
    status: 502,
    code: 'network',
    message: expect.not.stringContaining(apiKey),
  });
  expect(said).not.toContain(apiKey);
});
