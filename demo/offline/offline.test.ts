import { describe, expect, test } from 'vitest';
import { Keeper } from './keeper.ts';

const SCOPE = 'https://demo.test/atomoe/';

/** A server of strings that can be unplugged, and a cache that keeps what it is given. */
function world(files: Record<string, string>) {
  const kept = new Map<string, Response>();
  const asked: string[] = [];
  const state = { isOnline: true, files };
  const urlOf = (request: Request | string): string => (typeof request === 'string' ? request : request.url);
  const keeper = new Keeper({
    scope: SCOPE,
    cache: async () => ({
      match: async (request) => kept.get(urlOf(request as string))?.clone(),
      put: async (request, response) => {
        kept.set(urlOf(request as string), response);
      },
    }),
    fetch: async (request) => {
      const url = urlOf(request).replace(/[?#].*$/, '');
      if (!state.isOnline) throw new TypeError('no network');
      asked.push(url.slice(SCOPE.length));
      const text = state.files[url.slice(SCOPE.length)];
      if (text === undefined) return new Response('not here', { status: 404 });
      return new Response(text);
    },
  });
  const get = async (path: string): Promise<Response> => {
    const work: Promise<unknown>[] = [];
    const response = await keeper.answer(new Request(SCOPE + path), (each) => work.push(each));
    await Promise.all(work);
    return response;
  };
  return { keeper, kept, asked, state, get };
}

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

  test('other origins, other methods, and models, which the engine keeps, are left alone', () => {
    const { keeper } = world({});
    expect(keeper.handles(new Request('https://elsewhere.test/'))).toBe(false);
    expect(keeper.handles(new Request(SCOPE, { method: 'POST', body: 'x' }))).toBe(false);
    expect(keeper.handles(new Request(`${SCOPE}models/a/config.json`))).toBe(false);
    expect(keeper.handles(new Request(`${SCOPE}models/a/model.safetensors`))).toBe(false);
    expect(keeper.handles(new Request(`${SCOPE}chat.html`))).toBe(true);
  });
});
