import { describe, expect, test, vi } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { httpFolder } from './http.ts';
import type { HttpOptions } from './http-request.ts';
import { readExactly } from './read.ts';

const body = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7) % 251);
const URL_OF_FOLDER = 'https://models.example/toy/';

interface Call {
  url: string;
  range: string | null;
  method: string;
  mode: string | undefined;
}

type Handler = (call: Call, count: number, init: RequestInit) => Response | Promise<Response>;

/** A server in memory: `handler` answers, calls and waits are kept. */
function server(handler: Handler, options: HttpOptions = {}) {
  const calls: Call[] = [];
  const waits: number[] = [];
  const http: HttpOptions = {
    ...options,
    fetch: async (input, init = {}) => {
      const call = {
        url: String(input),
        range: new Headers(init.headers).get('range'),
        method: init.method ?? 'GET',
        mode: init.mode,
      };
      calls.push(call);
      return handler(call, calls.length, init);
    },
    delay: async (ms) => void waits.push(ms),
  };
  return { folder: httpFolder(URL_OF_FOLDER, http), calls, waits };
}

/** What a good server answers. */
function ranged(call: Call, bytes = body, headers: Record<string, string> = {}): Response {
  const [, first = '0', last = '0'] = /^bytes=(\d+)-(\d+)$/.exec(call.range ?? '') ?? [];
  const begin = Number(first);
  const end = Math.min(Number(last) + 1, bytes.length);
  if (begin >= bytes.length) {
    return new Response(null, { status: 416, headers: { 'content-range': `bytes */${bytes.length}` } });
  }
  return new Response(bytes.slice(begin, end), {
    status: 206,
    headers: { 'content-range': `bytes ${begin}-${end - 1}/${bytes.length}`, etag: '"1"', ...headers },
  });
}

async function failure(promise: Promise<unknown>): Promise<AtomoeError> {
  const error: unknown = await promise.then(
    () => expect.fail('succeeded'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AtomoeError);
  return error as AtomoeError;
}

describe('a server with ranges', () => {
  test('gives the size and any range; the first window costs no second request', async () => {
    const { folder, calls } = server((call) => ranged(call));
    const file = (await folder.open('a b/model.safetensors'))!;
    expect(file.sizeBytes).toBe(body.length);
    expect(await file.read(10, 20)).toEqual(body.slice(10, 30));
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({
      url: `${URL_OF_FOLDER}a%20b/model.safetensors`,
      range: 'bytes=0-65535',
    });

    const seen: number[] = [];
    const read = await file.read(65_000, 100_000, { onProgress: (done) => seen.push(done) });
    expect(read).toEqual(body.slice(65_000, 165_000));
    expect(calls[1]!.range).toBe('bytes=65536-164999'); // what has come is not sent again
    expect(seen.at(-1)).toBe(100_000);
    expect(await file.read(body.length - 1, 1)).toEqual(body.slice(-1));
  });

  test('large reads go in chunks, with one running count', async () => {
    const { folder, calls } = server((call) => ranged(call));
    const file = (await folder.open('m'))!;
    const seen: number[] = [];
    const options = { chunkBytes: 50_000, onProgress: (done: number) => seen.push(done) };
    expect(await readExactly(file, 0, body.length, options)).toEqual(body);
    expect(calls.slice(1).map((call) => call.range)).toEqual([
      'bytes=65536-99999',
      'bytes=100000-149999',
      'bytes=150000-199999',
    ]);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(body.length);
  });

  test('an empty file has no bytes', async () => {
    const { folder } = server((call) => ranged(call, new Uint8Array(0)));
    const file = (await folder.open('m'))!;
    expect(file.sizeBytes).toBe(0);
    expect(await file.read(0, 0)).toEqual(new Uint8Array(0));
  });

  test('a read past the end is refused without a request', async () => {
    const { folder, calls } = server((call) => ranged(call));
    const file = (await folder.open('m.safetensors'))!;
    const error = await failure(file.read(199_999, 2));
    expect(error.code).toBe('bad-file');
    expect(error.message).toMatch(
      /m.safetensors is too short: bytes 199999 to 200001 .* has 200000; .*truncated/,
    );
    expect(calls).toHaveLength(1);
  });

  test('sends headers that the caller gave', async () => {
    let seen: string | null = null;
    const { folder } = server(
      (call, _count, init) => {
        seen = new Headers(init.headers).get('authorization');
        return ranged(call);
      },
      { headers: { authorization: 'Bearer t' } },
    );
    await folder.open('m');
    expect(seen).toBe('Bearer t');
  });

  test('use after dispose is an error', async () => {
    const { folder } = server((call) => ranged(call));
    const file = (await folder.open('m'))!;
    file.dispose!();
    expect((await failure(file.read(0, 1))).code).toBe('disposed');
  });
});

test.each([
  ['https://h.example/m', 'https://h.example/m/config.json', undefined],
  ['https://h.example/m/', 'https://h.example/m/config.json', undefined],
  ['https://h.example/m/x.safetensors?sig=1', 'https://h.example/m/config.json', 'x.safetensors'],
])('%s: config.json is %s', async (url, wanted, entry) => {
  const urls: string[] = [];
  const folder = httpFolder(url, {
    fetch: async (input) => {
      urls.push(String(input));
      return new Response(body.slice(0, 5), { status: 200 });
    },
  });
  expect(folder.entry).toBe(entry);
  await folder.open('config.json');
  if (entry !== undefined) await folder.open(entry);
  expect(urls).toEqual(entry === undefined ? [wanted] : [wanted, url]); // a signed entry keeps its query
});

describe('a server without ranges', () => {
  test('is read whole, once', async () => {
    const { folder, calls } = server(() => new Response(body.slice(), { status: 200 }));
    const file = (await folder.open('m'))!;
    expect(file.sizeBytes).toBe(body.length);
    expect(await file.read(150_000, 1000)).toEqual(body.slice(150_000, 151_000));
    expect(calls).toHaveLength(1);
  });

  test('that would make us hold gigabytes is refused', async () => {
    const { folder } = server(
      () => new Response(body.slice(0, 9), { status: 200, headers: { 'content-length': '5000000000' } }),
    );
    const error = await failure(folder.open('m'));
    expect(error.code).toBe('network');
    expect(error.message).toMatch(
      /ignores range requests and the file has 5000000000 bytes.*supports ranges/,
    );
  });

  test('that forgets about ranges half-way is read whole from there', async () => {
    const { folder, calls } = server((call, count) =>
      count === 1 ? ranged(call) : new Response(body.slice(), { status: 200 }),
    );
    const file = (await folder.open('m'))!;
    expect(await file.read(100_000, 10)).toEqual(body.slice(100_000, 100_010));
    expect(await file.read(120_000, 10)).toEqual(body.slice(120_000, 120_010));
    expect(calls).toHaveLength(2);
  });
});

describe('a server that hides Content-Range', () => {
  const hidden = (call: Call) => {
    const reply = ranged(call);
    return new Response(reply.body, { status: 206 });
  };

  test('short files end where they end; long ones are measured by HEAD', async () => {
    const short = server((call) => new Response(ranged(call, body.slice(0, 99)).body, { status: 206 }));
    expect((await short.folder.open('config.json'))!.sizeBytes).toBe(99);

    const long = server((call) =>
      call.method === 'HEAD'
        ? new Response(null, { status: 200, headers: { 'content-length': String(body.length) } })
        : hidden(call),
    );
    const file = (await long.folder.open('m'))!;
    expect(file.sizeBytes).toBe(body.length);
    expect(await file.read(190_000, 10_000)).toEqual(body.slice(190_000));
  });

  test('and the length too: cors', async () => {
    const { folder } = server((call) => (call.method === 'HEAD' ? new Response(null) : hidden(call)));
    const error = await failure(folder.open('m'));
    expect(error.code).toBe('cors');
    expect(error.message).toMatch(/toy\/m: .*Access-Control-Expose-Headers: Content-Range; use a host/);
  });
});

describe('absent files', () => {
  test.each([
    ['404', () => new Response('no', { status: 404 })],
    ['410', () => new Response('gone', { status: 410 })],
    [
      'index page with 200',
      () => new Response('<!doctype html>', { headers: { 'content-type': 'text/html; charset=utf-8' } }),
    ],
  ])('%s', async (_case, handler) => {
    expect(await server(handler).folder.open('config.json')).toBeUndefined();
  });

  test('names that leave the folder are refused before any request', async () => {
    const { folder, calls } = server((call) => ranged(call));
    for (const name of ['../x', '/etc/x', 'https://evil.example/x', '', 'a//b', 'a/./b', 'a\\b']) {
      expect((await failure(folder.open(name))).code).toBe('bad-file');
    }
    expect(calls).toHaveLength(0);
  });
});

describe('trouble', () => {
  test('5xx, 429 and broken connections are tried again, with growing waits', async () => {
    const { folder, waits, calls } = server((call, count) => {
      if (count === 1) return new Response(null, { status: 503 });
      if (count === 2) return new Response(null, { status: 429, headers: { 'retry-after': '3' } });
      if (count === 3) throw new TypeError('Failed to fetch');
      return ranged(call);
    });
    const file = (await folder.open('m'))!;
    expect(file.sizeBytes).toBe(body.length);
    expect(calls).toHaveLength(4);
    expect(waits).toEqual([500, 3000, 2000]);
  });

  test('a body cut short is read again', async () => {
    const { folder, calls } = server((call, count) => {
      if (count !== 2) return ranged(call);
      const headers = { 'content-range': `bytes 100000-100999/${body.length}` };
      return new Response(body.slice(100_000, 100_300), { status: 206, headers });
    });
    const file = (await folder.open('m'))!;
    expect(await file.read(100_000, 1000)).toEqual(body.slice(100_000, 101_000));
    expect(calls).toHaveLength(3);
  });

  test.each([
    [
      'dead server',
      () => Promise.reject(new TypeError('Failed to fetch')),
      /toy\/m could not be read: Failed to fetch;.*check the address/,
    ],
    [
      '5xx for ever',
      () => new Response(null, { status: 500 }),
      /toy\/m: the server answered 500 to every try/,
    ],
  ])('%s: network, after five tries', async (_case, handler, message) => {
    const { folder, calls } = server(handler);
    const error = await failure(folder.open('m'));
    expect(error.code).toBe('network');
    expect(error.message).toMatch(message);
    expect(calls).toHaveLength(5);
  });

  test.each([401, 403, 400])('%i is not tried again', async (status) => {
    const { folder, calls } = server(() => new Response(null, { status }));
    const error = await failure(folder.open('m'));
    expect(error.code).toBe('network');
    expect(error.message).toMatch(new RegExp(`answered ${status}, 206 was wanted; `));
    expect(calls).toHaveLength(1);
  });

  test('a refused cross-origin request is told from a dead server', async () => {
    const { folder, calls } = server(
      (call) => {
        if (call.mode === 'no-cors') return new Response(null);
        throw new TypeError('Failed to fetch');
      },
      { origin: 'https://page.example' },
    );
    const error = await failure(folder.open('m'));
    expect(error.code).toBe('cors');
    expect(error.message).toMatch(/toy\/m: .*Access-Control-Allow-Origin; use a host/);
    expect(calls.filter(({ mode }) => mode !== 'no-cors')).toHaveLength(2);
  });

  test('an isolated page is not told of a refusal, and hears that it may be one', async () => {
    for (const isIsolated of [true, false]) {
      vi.stubGlobal('crossOriginIsolated', isIsolated);
      const { folder } = server(
        () => {
          throw new TypeError('Failed to fetch');
        },
        { origin: 'https://page.example' },
      );
      const error = await failure(folder.open('m'));
      expect(error.code).toBe('network');
      expect(error.message.includes('sends Access-Control-Allow-Origin')).toBe(isIsolated);
    }
    vi.unstubAllGlobals();
  });

  test('a connection that breaks once is no refusal, before its answer or in the body', async () => {
    let breaks = 0;
    const broken = new ReadableStream({
      pull: (controller) => controller.error(new TypeError('network error')),
    });
    const { folder } = server(
      (call) => {
        if (call.mode === 'no-cors') return new Response(null);
        breaks += 1;
        if (breaks === 1) throw new TypeError('Failed to fetch');
        if (breaks !== 2) return ranged(call);
        return new Response(broken, { status: 206, headers: ranged(call).headers });
      },
      { origin: 'https://page.example' },
    );
    const file = (await folder.open('m'))!;
    expect(await file.read(0, 100)).toEqual(body.slice(0, 100));
    expect(breaks).toBe(3);
  });

  test('who has a copy does not wait long for a dead server', async () => {
    const { folder, calls, waits } = server(() => {
      throw new TypeError('Failed to fetch');
    });
    expect((await failure(folder.open('m', { patience: 'short' }))).code).toBe('network');
    expect(calls).toHaveLength(2);
    expect(waits).toEqual([500]);
  });

  test('nor for one that wants to be asked later', async () => {
    const { folder, waits } = server(
      () => new Response(null, { status: 429, headers: { 'retry-after': '60' } }),
    );
    expect(await failure(folder.open('m', { patience: 'short' }))).toMatchObject({
      code: 'network',
      message: expect.stringContaining('it asks to wait 60 seconds'),
    });
    expect(waits).toEqual([]);
  });

  test('the requests that one read makes wait fifteen seconds in all', async () => {
    // Without an ETag the bytes that are known are asked for again after a part. Here every second request is refused.
    const { folder, waits } = server((call, count) => {
      if (count % 2 === 0) return new Response(null, { status: 429, headers: { 'retry-after': '10' } });
      const { body: bytes, headers } = ranged(call);
      headers.delete('etag');
      return new Response(bytes, { status: 206, headers });
    });
    const file = (await folder.open('m'))!;
    expect(await failure(file.read(100_000, 1000))).toMatchObject({
      code: 'network',
      message: expect.stringMatching(/answered 429, .*; it asks to wait 10 seconds; try again then/),
    });
    expect(waits).toEqual([10_000]);
    // The next read waits on its own account.
    expect(await file.read(100_000, 1000)).toEqual(body.slice(100_000, 101_000));
    expect(waits).toEqual([10_000, 10_000]);
  });

  test('a silent server does not hang the reader', async () => {
    const { folder, calls } = server(
      (_call, _count, init) =>
        new Promise((_, reject) => init.signal!.addEventListener('abort', () => reject(init.signal!.reason))),
      { stallTimeoutMs: 1, attempts: 2 },
    );
    const error = await failure(folder.open('m'));
    expect(error.code).toBe('network');
    expect(error.message).toMatch(/the server fell silent/);
    expect(calls).toHaveLength(2);
  });

  test('a range that is not the one asked for', async () => {
    const { folder } = server((call, count) =>
      count === 1 ? ranged(call) : ranged({ ...call, range: 'bytes=0-99' }),
    );
    const file = (await folder.open('m'))!;
    const error = await failure(file.read(100_000, 100));
    expect(error.code).toBe('network');
    expect(error.message).toMatch(/sent "bytes 0-99\/200000", bytes from 100000 on were wanted/);
  });

  test.each<[string, Handler, RegExp]>([
    ['new version', (call, n) => ranged(call, body, { etag: `"${n}"` }), /its version is "2" and was "1"/],
    [
      'new size',
      (call, n) => ranged(call, n === 1 ? body : body.slice(0, 150_000)),
      /it has 150000 bytes, 200000 bytes/,
    ],
    ['gone', (call, n) => (n === 1 ? ranged(call) : new Response(null, { status: 404 })), /it is gone/],
  ])('a file that changes under us: %s', async (_case, handler, message) => {
    const file = (await server(handler).folder.open('m'))!;
    const error = await failure(file.read(100_000, 100));
    expect(error.code).toBe('integrity');
    expect(error.message).toMatch(message);
  });

  test('an abort rejects with its reason: before, during and between tries', async () => {
    const reason = new Error('enough');
    const quiet = server((call) => ranged(call));
    await expect(quiet.folder.open('m', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(quiet.calls).toHaveLength(0);

    for (const when of ['during', 'between'] as const) {
      const controller = new AbortController();
      const { folder } = server((_call, _count, init) => {
        controller.abort(reason);
        if (when === 'between') return new Response(null, { status: 503 });
        return Promise.reject(init.signal!.reason);
      });
      await expect(folder.open('m', { signal: controller.signal })).rejects.toBe(reason);
    }
  });
});

test.each(['', 'toy', 'ftp://h/x', 'C:/models/toy', 'mailto:a@b', '/srv/toy'])(
  '%o is no model URL',
  (url) => {
    expect(() => httpFolder(url)).toThrow(/is not an http or https URL; give the address/);
  },
);
