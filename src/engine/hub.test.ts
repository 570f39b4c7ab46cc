/** A name of the hub is enough: the engine asks which file it means, and reads that by ranges. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openNodeStorage } from '../io/node-storage.ts';
import { LocalEngine } from './engine.ts';
import { leastBits } from '../weights/dtypes.ts';
import { folderOf, MIXES, twins } from './gguf-grids.testing.ts';
import { hubChoices, memoryNeeds, readHubModel, type HubModel } from './hub.ts';
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

test('a folder of the hub is asked for no file that it does not have', async () => {
  const folder = 'fixtures/models/olmoe';
  const names = await readdir(folder);
  const missed: string[] = [];
  const answer = (async (input: string) => {
    const { pathname } = new URL(input);
    if (pathname.startsWith('/api/')) {
      return Response.json({ siblings: names.map((rfilename) => ({ rfilename, size: 1 })) });
    }
    const bytes = await readFile(join(folder, pathname.slice('/a/b/resolve/main/'.length))).catch(
      () => undefined,
    );
    if (!bytes) missed.push(pathname);
    return bytes ? new Response(bytes) : new Response('', { status: 404 });
  }) as typeof fetch;
  const engine = await LocalEngine.open({ device: 'cpu', fetch: answer, hubUrl: HUB });
  const { label } = await engine.load('a/b', { diskCache: false });
  expect(label).toBe(`${HUB}/a/b/resolve/main/`);
  expect(missed).toEqual([]);
  await engine.load(`${HUB}/a/b/resolve/main/`, { diskCache: false });
  expect(missed.length).toBeGreaterThan(0); // what an address alone costs
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

test('the choices are the checkpoint, where there is one, and all GGUF files', async () => {
  const name = { repo: 'a/b', revision: 'v1', file: undefined };
  const siblings = (files: Readonly<Record<string, number>>) => ({
    fetch: async () =>
      Response.json({ siblings: Object.entries(files).map(([rfilename, size]) => ({ rfilename, size })) }),
  });
  const files = { 'q/x-Q4_K_M.gguf': 4, 'x.gguf': 9, 'model.safetensors': 20, 'sub/y.safetensors': 7 };
  const both = hubChoices(await readHubModel(name, siblings({ ...files, 'config.json': 1 })));
  const at = 'https://huggingface.co/a/b/resolve/v1/';
  expect(both).toEqual([
    { source: at, name: 'safetensors', sizeBytes: 20, leastBits: 0, isProposed: true },
    { source: `${at}x.gguf`, name: 'x.gguf', sizeBytes: 9, leastBits: 0, isProposed: false },
    { source: `${at}q/x-Q4_K_M.gguf`, name: 'Q4_K_M', sizeBytes: 4, leastBits: 0, isProposed: false },
  ]);
  const gguf = hubChoices(await readHubModel(name, siblings(files)), 'https://mirror.test');
  expect(gguf.map(({ isProposed }) => isProposed)).toEqual([false, true]);
  expect(gguf[0]?.source).toBe('https://mirror.test/a/b/resolve/v1/x.gguf');
});

test('what a file takes in memory follows from the plan of another one', async () => {
  const { answer } = await hub();
  const engine = await LocalEngine.open({ device: 'cpu', fetch: answer, hubUrl: HUB });
  const plan = await engine.plan('a/b', { diskCache: false, streaming: { start: 'now' } });
  const { dense, allExperts, kvCache, activations, staging, least, download } = plan.bytes;
  const others = kvCache + activations + staging;
  expect(memoryNeeds(plan)).toEqual({ whole: others + dense + allExperts, streamed: least });
  const half = memoryNeeds(plan, { sizeBytes: download / 2, leastBits: 0 });
  expect(half.whole - others).toBeCloseTo((dense + allExperts) / 2, -1);
  expect(half.streamed - others).toBeCloseTo((least - others) / 2, -1);
  expect(half.streamed).toBeLessThan(half.whole);
  engine.dispose();
});

test('files that loading unpacks are said to take what their own plans say', async () => {
  const engine = await LocalEngine.open({ device: 'cpu' });
  const planOf = (bytes: Uint8Array) => engine.plan(folderOf(bytes), { streaming: { slotsPerLayer: 2 } });
  for (const mix of MIXES) {
    const { blocks, floats } = await twins(mix);
    const [own, other] = [await planOf(blocks), await planOf(floats)];
    const named = hubChoices(hubModelOf(`x-${mix[0]}.gguf`, blocks.length))[0]!;
    const [said, wanted] = [memoryNeeds(other, named), memoryNeeds(own)];
    expect(named.leastBits).toBe(4.375);
    for (const kind of ['whole', 'streamed'] as const) {
      expect(said[kind] / wanted[kind], mix.join()).toBeGreaterThan(0.95);
      expect(said[kind] / wanted[kind], mix.join()).toBeLessThan(1.1);
    }
    // And the other way round: what is unpacked is not taken for the size of a file.
    const back = memoryNeeds(own, { sizeBytes: other.bytes.download, leastBits: 0 });
    expect(back.whole / memoryNeeds(other).whole).toBeCloseTo(1, 1);
  }
  engine.dispose();
});

test.each([
  ['IQ1_S', 4.375],
  ['UD-IQ2_M', 4.375],
  ['IQ3_XS', 4.375],
  ['IQ4_XS', 0],
  ['Q2_K', 0],
  ['safetensors', 0],
])('%s takes at least %d bits a weight', (name, bits) => {
  expect(leastBits(name)).toBe(bits);
});

const hubModelOf = (name: string, sizeBytes: number): HubModel => ({
  repo: 'a/b',
  revision: 'main',
  file: undefined,
  license: undefined,
  hasCheckpoint: false,
  checkpointBytes: 0,
  ggufFiles: [{ name, sizeBytes, quantisation: /IQ\d_[A-Z]+/.exec(name)?.[0] }],
  paths: [name],
  proposed: undefined,
});
