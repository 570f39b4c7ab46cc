/** OpenAI's HTTP API without HTTP: statuses, bodies and events. `e2e/clients` has OpenAI's own client in front of it. */
import { expect, test } from 'vitest';
import type { ChatCompletionChunk, ChatCompletionStream, ModelInfo } from '../engine/api.ts';
import { AtomoeError, type ErrorCode } from '../errors.ts';
import { openaiFetch, type AnsweringEngine } from './index.ts';

const model = { label: 'org/some model' } as ModelInfo;
const URL_OF_CHAT = 'http://anywhere/below/v1/chat/completions';

/** An engine that answers each request by `create`. */
function engineOf(create: (body: unknown, options: { signal: AbortSignal }) => unknown): AnsweringEngine {
  const completions = { create: async (body: unknown, options: never) => create(body, options) };
  return { model, chat: { completions } } as unknown as AnsweringEngine;
}

const whole = engineOf((body) => ({ choices: [], asked: body }));
const post = (body: unknown, init: RequestInit = {}) => ({
  method: 'POST',
  body: JSON.stringify(body),
  ...init,
});

function streamOf(read: () => AsyncGenerator<unknown>): ChatCompletionStream {
  const chunks = read() as AsyncGenerator<ChatCompletionChunk>;
  return { controller: new AbortController(), [Symbol.asyncIterator]: () => chunks };
}

test('a request is answered as JSON, below any path', async () => {
  const response = await openaiFetch(whole)(URL_OF_CHAT, post({ messages: [] }));
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  expect(await response.json()).toEqual({ choices: [], asked: { messages: [] } });
});

test('completions of texts are answered whole and as events', async () => {
  const completions = {
    create: async (body: { stream?: boolean }) =>
      body.stream
        ? streamOf(async function* () {
            yield { text: 'a' };
          })
        : { choices: [], asked: body },
  };
  const ask = openaiFetch({ ...whole, completions } as unknown as AnsweringEngine);
  const asked = await ask('http://h/v1/completions', post({ prompt: 'a' }));
  expect(await asked.json()).toEqual({ choices: [], asked: { prompt: 'a' } });
  const streamed = await ask('http://h/v1/completions', post({ prompt: 'a', stream: true }));
  expect(await streamed.text()).toBe('data: {"text":"a"}\n\ndata: [DONE]\n\n');
});

test('a Request is taken as well', async () => {
  const response = await openaiFetch(whole)(new Request(URL_OF_CHAT, post({ a: 1 })));
  expect(await response.json()).toMatchObject({ asked: { a: 1 } });
});

test('models are listed and found by name, as they are or escaped', async () => {
  const ask = openaiFetch(whole);
  const record = { id: model.label, object: 'model', created: 0, owned_by: 'atomoe' };
  expect(await (await ask('http://h/v1/models')).json()).toEqual({ object: 'list', data: [record] });
  for (const name of ['org/some%20model', 'org%2Fsome%20model']) {
    expect(await (await ask(`http://h/v1/models/${name}`)).json(), name).toEqual(record);
  }
  const none = openaiFetch({ ...whole, model: undefined } as unknown as AnsweringEngine);
  expect(await (await none('http://h/v1/models')).json()).toEqual({ object: 'list', data: [] });
});

test('chunks are events, and the last one is [DONE]', async () => {
  const engine = engineOf(() =>
    streamOf(async function* () {
      yield { id: 1, text: 'a\nb' };
      yield { id: 2 };
    }),
  );
  const response = await openaiFetch(engine)(URL_OF_CHAT, post({ stream: true }));
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  expect(await response.text()).toBe('data: {"id":1,"text":"a\\nb"}\n\ndata: {"id":2}\n\ndata: [DONE]\n\n');
});

test('an error in a stream is its last event', async () => {
  const engine = engineOf(() =>
    streamOf(async function* () {
      yield { id: 1 };
      throw new AtomoeError('device-lost', 'the device is gone; wanted it; reload');
    }),
  );
  const text = await (await openaiFetch(engine)(URL_OF_CHAT, post({}))).text();
  const last = JSON.parse(text.split('\n\n').at(-2)?.slice(6) ?? '') as unknown;
  expect(last).toEqual({
    error: {
      message: 'the device is gone; wanted it; reload',
      type: 'server_error',
      param: null,
      code: 'device-lost',
    },
  });
});

test('what is wrong with a streamed request is the status', async () => {
  const engine = engineOf(() =>
    // oxlint-disable-next-line require-yield
    streamOf(async function* () {
      throw new AtomoeError('context-full', 'what; wanted; do');
    }),
  );
  const response = await openaiFetch(engine)(URL_OF_CHAT, post({ stream: true }));
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { code: 'context_length_exceeded' } });
});

test.each([null, undefined, {}, 5])('%j is no engine, and is refused at once', (engine) => {
  expect(() => openaiFetch(engine as never)).toThrow(/^openaiFetch was given no engine/);
});

test('HEAD is answered as GET', async () => {
  expect((await openaiFetch(whole)('http://h/v1/models', { method: 'HEAD' })).status).toBe(200);
});

test('who cancels a stream ends the reply', async () => {
  const stream = streamOf(async function* () {
    for (;;) yield { id: 1 };
  });
  const response = await openaiFetch(engineOf(() => stream))(URL_OF_CHAT, post({}));
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.cancel();
  expect(stream.controller.signal.aborted).toBe(true);
});

test('a signal that is aborted is a rejection with its reason, as of any fetch', async () => {
  const stop = new AbortController();
  const reason = new Error('enough');
  const engine = engineOf((_, { signal }) => {
    stop.abort(reason);
    expect(signal.aborted).toBe(true);
    return { choices: [] };
  });
  await expect(openaiFetch(engine)(URL_OF_CHAT, post({}, { signal: stop.signal }))).rejects.toBe(reason);
});

test.each<readonly [number, string | null, string, RequestInit | undefined, RegExp]>([
  [404, null, 'http://h/v1/images', post({}), /nothing at \/v1\/images; wanted \/v1\/models/],
  [
    400,
    'unsupported-model',
    'http://h/v1/embeddings',
    post({ input: 'a' }),
    /"org\/some model" predicts tokens/,
  ],
  [404, null, 'http://h/', undefined, /nothing at \/;/],
  [404, null, 'http://h/v1/constructor', undefined, /nothing at \/v1\/constructor/],
  [404, 'model_not_found', 'http://h/v1/models/%E0%A4%A', undefined, /"%E0%A4%A" is not loaded/],
  [404, 'model_not_found', 'http://h/v1/models/x', undefined, /"x" is not loaded; "org\/some model" is/],
  [405, null, URL_OF_CHAT, undefined, /takes POST, not GET/],
  [405, null, 'http://h/v1/models', post({}), /takes GET, not POST/],
  [400, null, URL_OF_CHAT, { method: 'POST', body: '{' }, /the body is no JSON/],
  [400, null, URL_OF_CHAT, post([1]), /the body is no object/],
])('%i %s %s', async (status, code, url, init, message) => {
  const response = await openaiFetch(whole)(url, init);
  expect(response.status).toBe(status);
  const { error } = (await response.json()) as { error: { message: string; code: string | null } };
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
});

test.each<readonly [ErrorCode, number, string]>([
  ['bad-input', 400, 'bad-input'],
  ['context-full', 400, 'context_length_exceeded'],
  ['busy', 429, 'busy'],
  ['disposed', 503, 'disposed'],
  ['internal', 500, 'internal'],
])('%s is %i', async (code, status, told) => {
  const engine = engineOf(() => {
    throw new AtomoeError(code, 'what; wanted; do');
  });
  const response = await openaiFetch(engine)(URL_OF_CHAT, post({}));
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject({ error: { message: 'what; wanted; do', code: told } });
});

test('without a model a reply cannot be had yet', async () => {
  const response = await openaiFetch({ ...whole, model: undefined } as unknown as AnsweringEngine)(
    URL_OF_CHAT,
    post({}),
  );
  expect(response.status).toBe(503);
});
