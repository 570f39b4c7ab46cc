/** A name of the hub is enough: the engine asks which file it means, and reads that by ranges. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openNodeStorage } from '../io/node-storage.ts';
import { LocalEngine } from './engine.ts';
import { largestError, type FixtureGolden } from './testing.ts';

const HUB = 'https://hub.test';

/** A hub with one model, whose requests are kept. */
async function hub() {
  const bytes = await readFile('fixtures/gguf/olmoe.gguf');
  const asked: string[] = [];
  const answer = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const { pathname } = new URL(input instanceof Request ? input.url : input);
    asked.push(pathname);
    if (pathname === '/api/models/a/b/revision/main') {
      return Response.json({ siblings: [{ rfilename: 'olmoe-F32.gguf', size: bytes.length }] });
    }
    if (pathname !== '/a/b/resolve/main/olmoe-F32.gguf') return new Response('', { status: 404 });
    const [, from = '0', to = ''] =
      /bytes=(\d+)-(\d*)/.exec(new Headers(init?.headers).get('range') ?? '') ?? [];
    const end = Math.min(bytes.length, Number(to || bytes.length - 1) + 1);
    return new Response(new Uint8Array(bytes.subarray(Number(from), end)), {
      status: 206,
      headers: { 'content-range': `bytes ${from}-${end - 1}/${bytes.length}` },
    });
  };
  return { answer: answer as typeof fetch, asked };
}

test('org/name loads the GGUF file that the hub lists', async () => {
  const { answer, asked } = await hub();
  const golden = JSON.parse(await readFile('fixtures/models/olmoe/golden.json', 'utf8')) as FixtureGolden;
  const engine = await LocalEngine.open({ device: 'cpu', fetch: answer, hubUrl: HUB });
  const { label } = await engine.load('a/b', { diskCache: false });
  expect(label).toBe(`${HUB}/a/b/resolve/main/olmoe-F32.gguf`);
  expect(largestError(await engine.logits(golden.ids), golden.logits.flat())).toBeLessThan(1e-4);
  expect(asked[0]).toBe('/api/models/a/b/revision/main');
  expect(new Set(asked).size).toBe(2);
  await expect(engine.plan('c/d')).rejects.toMatchObject({ code: 'bad-file' });
  engine.dispose();
});

test('a name whose model is kept loads without the hub, and is asked for anew with it', async () => {
  const root = await mkdtemp(join(tmpdir(), 'atomoe-hub-'));
  try {
    const storage = await openNodeStorage(root);
    const { answer, asked } = await hub();
    let isOffline = false;
    const link: typeof fetch = (input, init) =>
      isOffline ? Promise.reject(new TypeError('offline')) : answer(input, init);
    const load = async (options = {}) => {
      const engine = await LocalEngine.open({ device: 'cpu', fetch: link, hubUrl: HUB, storage });
      try {
        const { label } = await engine.load('a/b', options);
        return { label, logits: await engine.logits([1, 2, 3]) };
      } finally {
        engine.dispose();
        await engine.closed;
      }
    };
    const online = await load();
    isOffline = true;
    expect(await load()).toEqual(online);
    await expect(load({ diskCache: false })).rejects.toMatchObject({ code: 'network' });
    isOffline = false;
    asked.length = 0;
    expect(await load()).toEqual(online);
    expect(asked[0]).toBe('/api/models/a/b/revision/main');
  } finally {
    await rm(root, { recursive: true });
  }
});
