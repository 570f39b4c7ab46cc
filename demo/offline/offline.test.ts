import { describe, expect, test } from 'vitest';
import { Keeper } from './keeper.ts';
import { answerFrom, parseRange } from './ranges.ts';

const SCOPE = 'https://demo.test/atomoe/';

/** A server of strings that can be unplugged, and a cache that keeps what it is given. */
function world(files: Record<string, string>) {
  const kept = new Map<string, Response>();
  const asked: string[] = [];
  const state = { isOnline: true, isShort: false, files };
  const urlOf = (request: Request | string): string => (typeof request === 'string' ? request : request.url);
  const keeper = new Keeper({
    scope: SCOPE,
    cache: async () => ({
      match: async (request) => kept.get(urlOf(request as string))?.clone(),
      put: async (request, response) => {
        // As the platform does: a part of a file is refused.
        if (response.status === 206) throw new TypeError('partial response');
        kept.set(urlOf(request as string), response);
      },
    }),
    fetch: async (request, init) => {
      const url = urlOf(request).replace(/[?#].*$/, '');
      if (!state.isOnline) throw new TypeError('no network');
      const method = init?.method ?? (typeof request === 'string' ? 'GET' : request.method);
      asked.push(`${method} ${url.slice(SCOPE.length)}`);
      if (state.isShort && method === 'GET')
        return new Response('0', { headers: { 'content-length': '10' } });
      const text = state.files[url.slice(SCOPE.length)];
      if (text === undefined) return new Response('not here', { status: 404 });
      const headers = { etag: `"${text.length}-${text.slice(0, 3)}"`, 'content-length': String(text.length) };
      const whole = new Response(text, { headers });
      return typeof request === 'string' ? whole : answerFrom(whole, request);
    },
  });
  const get = async (
    path: string,
    headers: Record<string, string> = {},
    method = 'GET',
  ): Promise<Response> => {
    const work: Promise<unknown>[] = [];
    const response = await keeper.answer(new Request(SCOPE + path, { headers, method }), (each) =>
      work.push(each),
    );
    await Promise.all(work);
    return response;
  };
  return { keeper, kept, asked, state, get };
}

describe('ranges', () => {
  test.each([
    [null, 'whole'],
    ['bytes=0-3', [0, 4]],
    ['bytes=4-', [4, 10]],
    ['bytes=8-99', [8, 10]],
    ['bytes=-3', [7, 10]],
    ['bytes=-99', [0, 10]],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=5-3', 'whole'],
    ['bytes=0-1,4-5', 'whole'],
    ['items=0-1', 'whole'],
    ['bytes=-', 'whole'],
  ])('%s of ten bytes', (header, range) => {
    expect(parseRange(header, 10)).toEqual(range);
  });

  test('a part is 206 with its place, its length and its bytes', async () => {
    const whole = new Response('0123456789', { headers: { etag: '"a"', 'content-type': 'text/plain' } });
    const part = await answerFrom(whole, new Request(SCOPE, { headers: { range: 'bytes=2-4' } }));
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe('bytes 2-4/10');
    expect(part.headers.get('content-length')).toBe('3');
    expect(part.headers.get('etag')).toBe('"a"');
    expect(await part.text()).toBe('234');
  });

  test('a range behind the end is 416 with the size', async () => {
    const past = await answerFrom(
      new Response('0123'),
      new Request(SCOPE, { headers: { range: 'bytes=4-9' } }),
    );
    expect([past.status, past.headers.get('content-range')]).toEqual([416, 'bytes */4']);
  });
});

describe('the page', () => {
  const files = {
    '': '<script src="./assets/index-AbCd1234.js"></script><link href="./assets/index-ZyXw9876.css">',
    'assets/index-AbCd1234.js':
      'new Worker(new URL("worker-11112222.js", import.meta.url)); import("./lazy-x_y-z123.js")',
    'assets/index-ZyXw9876.css': 'body{}',
    'assets/worker-11112222.js': 'go(); import("../assets/index-AbCd1234.js")',
    'assets/lazy-x_y-z123.js': 'lazy()',
  };

  test('is kept with its scripts, their workers and lazy parts, and opens without a network', async () => {
    const { keeper, state, get, kept } = world(files);
    await keeper.keepPage();
    expect([...kept.keys()].map((url) => url.slice(SCOPE.length)).sort()).toEqual(Object.keys(files).sort());
    state.isOnline = false;
    expect(await (await get('?device=cpu#how')).text()).toBe(files['']);
    expect(await (await get('assets/worker-11112222.js')).text()).toContain('go()');
    await expect(get('other.html')).rejects.toThrow('no network');
  });

  test('comes from the network while there is one, and its new parts are kept', async () => {
    const { keeper, state, get, asked } = world({ ...files });
    await keeper.keepPage();
    state.files[''] = '<script src="./assets/index-NeWnEw00.js"></script>';
    state.files['assets/index-NeWnEw00.js'] = 'fresh()';
    expect(await (await get('')).text()).toContain('NeWnEw00');
    expect(await (await get('assets/index-NeWnEw00.js')).text()).toBe('fresh()');
    const before = asked.length;
    await get('assets/index-NeWnEw00.js');
    expect(asked).toHaveLength(before); // hashed: never asked for again
  });

  test('an error page is not kept', async () => {
    const { get, kept } = world({});
    expect((await get('missing.html')).status).toBe(404);
    expect((await get('assets/missing-AbCd1234.js')).status).toBe(404);
    expect(kept.size).toBe(0);
  });

  test('other origins and other methods are left alone', () => {
    const { keeper } = world({});
    expect(keeper.handles(new Request('https://elsewhere.test/'))).toBe(false);
    expect(keeper.handles(new Request(SCOPE, { method: 'POST', body: 'x' }))).toBe(false);
    expect(keeper.handles(new Request(`${SCOPE}models/a/config.json`))).toBe(true);
  });
});

describe('models', () => {
  const files = { 'models/a/config.json': '{"a":1}', 'models/a/model.safetensors': '0123456789' };
  const urls = Object.keys(files).map((path) => SCOPE + path);
  const range = { range: 'bytes=3-5' };

  test('are read from the network in parts until they are kept, then from the cache, network or not', async () => {
    const { keeper, state, get, kept, asked } = world({ ...files });
    expect(await (await get('models/a/model.safetensors', range)).text()).toBe('345');
    expect(kept.size).toBe(0);
    await keeper.keepFiles(urls);
    state.isOnline = false;
    const part = await get('models/a/model.safetensors', range);
    expect([part.status, await part.text()]).toEqual([206, '345']);
    const head = await get('models/a/model.safetensors', {}, 'HEAD');
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '10', '']);
    expect(asked.filter((each) => each === 'GET models/a/config.json')).toHaveLength(1);
  });

  test('a file that a kept model does not have is absent, not unreachable', async () => {
    const { keeper, state, get } = world({ ...files });
    await keeper.keepFiles(urls);
    state.isOnline = false;
    expect((await get('models/a/model.safetensors.index.json', range)).status).toBe(404);
    await expect(get('models/b/config.json', range)).rejects.toThrow('no network');
  });

  test('a body that is not as long as said is not kept', async () => {
    const { keeper, state, kept } = world({ ...files });
    state.isShort = true;
    await keeper.keepFiles(urls);
    expect(kept.size).toBe(0);
    state.isShort = false;
    await keeper.keepFiles(urls);
    expect(kept.size).toBe(2);
  });

  test('are renewed when the server has others, all at once', async () => {
    const { keeper, state, get, asked } = world({ ...files });
    await keeper.keepFiles(urls);
    await keeper.keepFiles(urls);
    expect(asked.filter((each) => each.startsWith('GET'))).toHaveLength(2);
    state.files['models/a/model.safetensors'] = 'new weights';
    await keeper.keepFiles(urls);
    expect(await (await get('models/a/model.safetensors', range)).text()).toBe(' we');
    delete state.files['models/a/config.json'];
    state.files['models/a/model.safetensors'] = 'newer still';
    await keeper.keepFiles(urls);
    expect(await (await get('models/a/model.safetensors', range)).text()).toBe(' we');
  });
});
