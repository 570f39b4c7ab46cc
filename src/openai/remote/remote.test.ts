/** Another server behind an engine: played by a function, with every way in which it may fail. The key is looked for in all that comes out. */
import { inspect } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import type { LocalPart, RemoteOptions } from '../index.ts';
import { openaiFetch, withRemote, type Fetch } from '../index.ts';

const KEY = 'sk-secret-4711';
const messages = [{ role: 'user', content: 'Hi' }] as const;
const said = (text: string, reason: string | null = null, index = 0) =>
  `data: ${JSON.stringify({ choices: [{ index, delta: { content: text }, finish_reason: reason }] })}\n\n`;
const DONE = 'data: [DONE]\n\n';

/** An engine that must not be asked, with a plan. */
function engineOf(fits: boolean, answer: object = { choices: [] }) {
  const create = vi.fn(async () => answer);
  const load = vi.fn(async () => ({}));
  const plan = vi.fn(async () => ({ fits, why: fits ? '' : 'it needs 9 GB, 1 GB is there' }));
  const engine = { model: undefined, plan, load, chat: { completions: { create } }, completions: { create } };
  return { engine: engine as unknown as LocalPart, create, load };
}

function remoteOf(answer: Fetch, options: Partial<RemoteOptions> = {}) {
  const asked: Request[] = [];
  const local = engineOf(false);
  const remote = withRemote(local.engine, {
    baseURL: 'https://far.test:8443/v1/',
    apiKey: KEY,
    model: 'large',
    use: 'always',
    confirm: () => true,
    fetch: async (...given) => {
      asked.push(new Request(...given));
      return answer(...given);
    },
    ...options,
  });
  return { remote, asked, ...local };
}

async function textOf(
  stream: AsyncIterable<{ choices: { delta: { content?: string } }[] }>,
): Promise<string> {
  let text = '';
  for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
  return text;
}

/** Everything that an object says of itself: fields, causes and stacks. */
const allOf = (value: unknown) =>
  `${inspect(value, { depth: 20, showHidden: true, getters: true })} ${JSON.stringify(value)} ${String(value)}`;

describe('where replies come from', () => {
  test('the plan decides: here where the model fits, else from the other server', async () => {
    const fetch = vi.fn(async () => Response.json({ choices: [{ message: { content: 'far' } }] }));
    const options = { baseURL: 'https://far.test/v1', model: 'large', confirm: () => true, fetch };
    const near = engineOf(true);
    const small = withRemote(near.engine, options);
    expect(small.ranOn).toBeUndefined();
    expect(await small.load('m/')).toBe('device');
    expect(near.load).toHaveBeenCalledOnce();
    expect(await small.chat.completions.create({ messages })).toMatchObject({ ranOn: 'device' });
    expect(fetch).not.toHaveBeenCalled();
    const tight = engineOf(false);
    const large = withRemote(tight.engine, options);
    expect(await large.load('m/')).toBe('remote');
    expect([large.why, large.model?.label]).toEqual(['it needs 9 GB, 1 GB is there', 'large']);
    expect(await large.chat.completions.create({ messages })).toMatchObject({
      ranOn: 'remote',
      choices: [{ message: { content: 'far' } }],
    });
    expect([tight.load.mock.calls, tight.create.mock.calls]).toEqual([[], []]);
  });

  test('the request is sent as it is, with the model and the key of the server', async () => {
    const { remote, asked } = remoteOf(async () => Response.json({ choices: [] }));
    await remote.chat.completions.create({ messages, model: 'mine', temperature: 0, tools: [] });
    await remote.completions.create({ prompt: 'Once', max_tokens: 2 });
    expect(asked.map(({ url }) => url)).toEqual([
      'https://far.test:8443/v1/chat/completions',
      'https://far.test:8443/v1/completions',
    ]);
    expect(asked[0]?.headers.get('authorization')).toBe(`Bearer ${KEY}`);
    expect([asked[0]?.redirect, asked[0]?.credentials]).toEqual(['error', 'omit']);
    expect(await asked[0]?.json()).toEqual({ model: 'large', messages, temperature: 0, tools: [] });
    expect(await asked[1]?.json()).toEqual({ model: 'large', prompt: 'Once', max_tokens: 2 });
  });

  test('the visitor is asked once, before anything is sent', async () => {
    const fetch = vi.fn(async () => Response.json({ choices: [] }));
    const confirm = vi.fn<RemoteOptions['confirm']>(() => true);
    confirm.mockReturnValueOnce(false).mockReturnValueOnce('yes' as never);
    const { remote } = remoteOf(fetch, { confirm });
    for (let time = 0; time < 2; time++) {
      await expect(remote.chat.completions.create({ messages })).rejects.toMatchObject({
        code: 'bad-input',
        message: expect.stringMatching(/was not sent to far\.test:8443: confirm did not return true/),
      });
    }
    expect(fetch).not.toHaveBeenCalled();
    await remote.chat.completions.create({ messages });
    await remote.chat.completions.create({ messages });
    expect(confirm.mock.calls).toEqual([['far.test:8443'], ['far.test:8443'], ['far.test:8443']]);
    expect(fetch).toHaveBeenCalledTimes(2);
  });

  test('two prompts at once ask the visitor once', async () => {
    const confirm = vi.fn<RemoteOptions['confirm']>(() => true);
    confirm.mockResolvedValueOnce(true).mockResolvedValueOnce(false);
    const { remote } = remoteOf(async () => Response.json({ choices: [] }), { confirm });
    await Promise.all([0, 1].map(() => remote.chat.completions.create({ messages })));
    expect(confirm).toHaveBeenCalledTimes(1);
  });

  test('a wrong request is refused here, and what only the engine does, too', async () => {
    const { remote, asked } = remoteOf(async () => Response.json({ choices: [] }));
    const { create } = remote.chat.completions;
    await expect(create({ messages, temprature: 1 } as never)).rejects.toThrow(/unknown field "temprature"/);
    await expect(create({ messages, atomoe: { trace: true } })).rejects.toThrow(
      /hooks, traces or a strategy/,
    );
    expect(asked).toEqual([]);
  });
});

describe('streams', () => {
  const streamed = (text: string) => async () =>
    new Response(text, { headers: { 'content-type': 'text/event-stream' } });

  test.each([
    ['with [DONE]', `${said('a')}${said('b', 'stop')}${DONE}`],
    ['with [DONE] alone, as some servers end', `${said('a')}${said('b')}${DONE}`],
    ['with [DONE] without an empty line', `${said('a')}${said('b', 'stop')}data: [DONE]`],
    ['with the usage behind the end', `${said('a')}${said('b', 'stop')}data: {"choices":[]}\n\n${DONE}`],
    ['without it', `${said('a')}${said('b', 'stop')}`],
    [
      'with comments and other ends of lines',
      `: hello\r\n\r\n${said('a').replaceAll('\n', '\r\n')}event: x\r${said('b', 'stop').replaceAll('\n', '\r')}`,
    ],
    ['whose last event has no empty line', `${said('a')}${said('b', 'stop').trimEnd()}`],
  ])('%s', async (_, text) => {
    const { remote } = remoteOf(streamed(text));
    const stream = await remote.chat.completions.create({ messages, stream: true });
    expect(stream.ranOn).toBe('remote');
    expect(await textOf(stream)).toBe('ab');
  });

  test('that are cut at any byte are put together', async () => {
    const bytes = new TextEncoder().encode(
      `${said('\u00e4\u{1f98a}').replaceAll('\n', '\r\n')}${said('b', 'stop')}`,
    );
    for (let at = 1; at < bytes.length; at++) {
      const parts = [bytes.slice(0, at), bytes.slice(at)];
      const body = new ReadableStream({
        pull(controller) {
          const part = parts.shift();
          if (part) controller.enqueue(part);
          else controller.close();
        },
      });
      const { remote } = remoteOf(async () => new Response(body));
      expect(await textOf(await remote.chat.completions.create({ messages, stream: true })), `${at}`).toBe(
        '\u00e4\u{1f98a}b',
      );
    }
  });

  test.each([
    ['no events', '<html>', /the reply broke off/],
    ['no JSON', 'data: {\n\n', /streams something that is no reply/],
    ['no object', 'data: [1]\n\n', /streams something that is no reply/],
    ['no choices', 'data: {}\n\n', /a chunk has no choices/],
    ['an error', `${said('a')}data: {"error":{"message":"overloaded ${KEY}"}}\n\n`, /overloaded \[the key\]/],
    ['half a reply', said('a'), /the reply broke off/],
    ['no reply', DONE, /the reply broke off/],
  ])('of %s are one error', async (_, text, says) => {
    const { remote } = remoteOf(streamed(text));
    const failed = remote.chat.completions.create({ messages, stream: true }).then(textOf);
    await expect(failed).rejects.toMatchObject({ code: 'network', message: expect.stringMatching(says) });
  });

  describe('of two replies', () => {
    const first = `${said('a')}${said('b', 'stop')}`;
    const second = `${said('c', null, 1)}${said('d', 'length', 1)}`;

    test.each([
      ['that end one after the other', first + second],
      ['that are mixed', `${said('a')}${said('c', null, 1)}${said('b', 'stop')}${said('d', 'stop', 1)}`],
      ['of which a server gives one, and says so', first + DONE],
    ])('%s are whole', async (_, text) => {
      const { remote } = remoteOf(streamed(text));
      const stream = await remote.chat.completions.create({ messages, n: 2, stream: true });
      expect(await textOf(stream)).toMatch(/^(ab|abcd|acbd)$/);
    });

    test.each([
      ['of which one has not begun', first],
      ['of which one has no end', first + said('c', null, 1)],
      ['of which one has no end, though the stream has', first + said('c', null, 1) + DONE],
    ])('%s have broken off', async (_, text) => {
      const { remote } = remoteOf(streamed(text));
      const stream = await remote.chat.completions.create({ messages, n: 2, stream: true });
      await expect(textOf(stream)).rejects.toMatchObject({
        code: 'network',
        message: expect.stringMatching(/the reply broke off/),
      });
    });

    test('to two prompts are two', async () => {
      const { remote } = remoteOf(streamed(said('a', 'stop')));
      const stream = await remote.completions.create({ prompt: ['a', 'b'], stream: true });
      await expect(async () => {
        for await (const _ of stream);
      }).rejects.toThrow(/the reply broke off/);
    });
  });

  test('end when they are stopped or left, and so does the request', async () => {
    for (const how of ['signal', 'controller', 'leave']) {
      const cancelled = vi.fn();
      const body = new ReadableStream({
        pull: async (controller) => {
          await new Promise((resolve) => setTimeout(resolve));
          controller.enqueue(new TextEncoder().encode(said('a')));
        },
        cancel: cancelled,
      });
      const { remote } = remoteOf(async () => new Response(body));
      const stop = new AbortController();
      const stream = await remote.chat.completions.create({ messages, stream: true, signal: stop.signal });
      let count = 0;
      for await (const _ of stream) {
        if (++count < 2) continue;
        if (how === 'leave') break;
        (how === 'signal' ? stop : stream.controller).abort();
      }
      expect(count, how).toBe(2);
      await vi.waitFor(() => expect(cancelled).toHaveBeenCalled());
    }
  });
});

describe('failures are one error each, without the key', () => {
  const error =
    (status: number, body: object | string, headers = {}) =>
    async () =>
      new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers });
  const told = (message: string, code?: string) => ({ error: { message, code } });

  test.each<[name: string, answer: Fetch, code: string, says: RegExp]>([
    [
      '401',
      error(401, told(`Incorrect key: ${KEY}`)),
      'bad-input',
      /answered 401: Incorrect key: \[the key\]; .*remote\.apiKey/,
    ],
    ['404', error(404, told('no such model')), 'bad-input', /404: no such model; .*remote\.model/],
    [
      '429',
      error(429, told('slow down'), { 'retry-after': '7' }),
      'busy',
      /429: slow down; .* later in 7 seconds/,
    ],
    ['400', error(400, told('temperature too high')), 'bad-input', /400: temperature too high/],
    [
      '400 of a long prompt',
      error(400, told('long', 'context_length_exceeded')),
      'context-full',
      /400: long/,
    ],
    ['500', error(500, `<h1>${KEY}</h1>`), 'network', /answered 500: <h1>\[the key\]<\/h1>/],
    [
      '502 with the key where it is cut',
      error(502, `${'.'.repeat(295)}${KEY}`),
      'network',
      /answered 502: \.{295}\[the ; wanted/,
    ],
    ['503 without a word', error(503, ''), 'network', /answered 503; wanted an answer/],
    ['no JSON', async () => new Response('<html>'), 'network', /does not answer/],
    ['no choices', async () => Response.json({ object: 'list' }), 'network', /its answer has no choices/],
    [
      'no network',
      () => Promise.reject(new TypeError(`fetch failed for Bearer ${KEY}`)),
      'network',
      /does not answer: fetch failed for Bearer \[the key\]; wanted .*\(CORS\)/,
    ],
  ])('%s', async (_, answer, code, says) => {
    for (const stream of [false, true]) {
      const { remote } = remoteOf(answer);
      const failed: unknown = await remote.chat.completions
        .create({ messages, stream })
        .then((reply): unknown => (stream ? textOf(reply as never) : reply))
        .catch((reason: unknown) => reason);
      expect(failed).toMatchObject({ name: 'AtomoeError', code });
      if (!stream) expect((failed as Error).message).toMatch(says);
      expect(allOf(failed)).not.toContain(KEY);
    }
  });

  test('an abort rejects with its reason', async () => {
    const stop = new AbortController();
    const answer: Fetch = (_, init) =>
      new Promise((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
        stop.abort(new Error('enough'));
      });
    const { remote } = remoteOf(answer);
    await expect(remote.chat.completions.create({ messages }, { signal: stop.signal })).rejects.toThrow(
      'enough',
    );
  });
});

test('the key is nowhere but in the header', async () => {
  const logged = (['log', 'info', 'warn', 'error', 'debug'] as const).map((name) =>
    vi.spyOn(console, name).mockImplementation(() => {}),
  );
  const { remote, asked } = remoteOf(async () => Response.json({ choices: [] }));
  const answer = await remote.chat.completions.create({ messages });
  const told = await openaiFetch(remote)('http://h/v1/models');
  expect(allOf(remote) + allOf(answer) + (await told.text())).not.toContain(KEY);
  expect(`${asked[0]?.url} ${await asked[0]?.text()}`).not.toContain(KEY);
  expect(logged.flatMap(({ mock }) => mock.calls)).toEqual([]);
  vi.restoreAllMocks();
});

test('answers of openaiFetch say where they ran', async () => {
  const { remote } = remoteOf(async (_, init) =>
    String(init?.body).includes('"stream":true')
      ? new Response(said('a', 'stop'))
      : Response.json({ choices: [] }),
  );
  for (const stream of [false, true]) {
    const body = JSON.stringify({ messages, stream });
    const response = await openaiFetch(remote)('http://h/v1/chat/completions', { method: 'POST', body });
    expect(response.headers.get('x-atomoe-ran-on')).toBe('remote');
    expect(await response.text()).toContain('"ranOn":"remote"');
  }
});

test.each<[given: object, says: RegExp]>([
  [{ baseURL: undefined }, /remote\.baseURL is undefined; wanted the address/],
  [{ baseURL: 'far.test' }, /remote\.baseURL is a string; wanted an address of http/],
  [{ baseURL: `https://me:${KEY}@far.test/v1` }, /remote\.baseURL is a string; wanted .* without a password/],
  [{ baseURL: `https://far.test/v1?key=${KEY}` }, /remote\.baseURL is a string/],
  [{ apiKey: `${KEY}\n` }, /remote\.apiKey is a string; wanted a text of ASCII/],
  [{ model: '' }, /remote\.model is ""; wanted the name/],
  [{ model: undefined }, /remote\.model is undefined/],
  [{ confirm: undefined }, /remote\.confirm is undefined; wanted a function/],
  [{ use: 'never' }, /remote\.use is "never"; wanted "too-small" or "always"/],
  [{ apikey: 'x' }, /unknown option "remote\.apikey", did you mean "apiKey"/],
])('%j is refused, and no key is shown', (given, says) => {
  let failed: unknown;
  try {
    remoteOf(async () => Response.json({}), given);
  } catch (error) {
    failed = error;
  }
  expect(failed).toMatchObject({ code: 'bad-input', message: expect.stringMatching(says) });
  expect(allOf(failed)).not.toContain(KEY);
});
