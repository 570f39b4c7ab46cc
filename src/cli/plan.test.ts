import { setMaxListeners } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { budgetOf } from '../engine/load/planning.ts';
import { main } from './program.ts';
import { formatCount } from './words.ts';

// Models on a software adapter: only a hang takes longer than this.
vi.setConfig({ testTimeout: 120_000 });

const root = resolve(import.meta.dirname, '../..');
const story = join(root, 'demo/public/models/fable-moe-12m');
const atomic = join(root, 'demo/public/models/fable-omni-8m');

/** Runs a command line and keeps what it says. */
async function run(...argv: string[]) {
  let out = '';
  const notes: string[] = [];
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // as the terminal of a process does
  const code = await main(argv, {
    write: (text) => (out += text),
    note: (line) => notes.push(line),
    status: () => {},
    aside: () => {},
    isMixed: false,
    signal: stop.signal,
  });
  return { code, out, notes };
}

async function planOf(...argv: string[]) {
  const { code, out } = await run('plan', ...argv, '--json');
  return { code, ...JSON.parse(out) };
}

describe('plan', () => {
  test('what fits stays; the sizes add up', async () => {
    const { code, budgetBytes, plan } = await planOf(story);
    const { bytes } = plan;
    expect(code).toBe(0);
    expect(budgetBytes).toBe(budgetOf({}));
    expect(plan).toMatchObject({ streams: false, slotsPerLayer: 32, cacheRatio: 8, fits: true, why: '' });
    expect(bytes.oneExpert).toBe(3 * 96 * 192 * 2);
    expect(bytes.allExperts).toBe(6 * 32 * bytes.oneExpert);
    expect(bytes.perToken).toBe(6 * 4 * bytes.oneExpert);
    const { dense, kvCache, activations, staging, experts } = bytes;
    expect(bytes.gpuTotal).toBe(dense + kvCache + activations + staging + experts);
    expect(bytes.least).toBeLessThan(bytes.gpuTotal);
  });

  test('a budget buys as many slots as fit into it, and the smallest that works is exact', async () => {
    const { plan } = await planOf(story, '--budget', '18MB');
    expect(plan).toMatchObject({ streams: true, fits: true });
    expect(plan.bytes.gpuTotal).toBeLessThanOrEqual(18e6);
    expect(plan.slotsPerLayer).toBeGreaterThan(4);
    expect(plan.cacheRatio).toBe(plan.slotsPerLayer / 4);
    const one = await planOf(story, '--slots', String(plan.slotsPerLayer + 1));
    expect(one.plan.bytes.gpuTotal).toBeGreaterThan(18e6);
    const { least } = plan.bytes;
    const enough = await planOf(story, '--budget', String(least));
    expect(enough).toMatchObject({ code: 0, plan: { fits: true, slotsPerLayer: 4, cacheRatio: 1 } });
    const few = await planOf(story, '--budget', String(least - 1));
    expect(few).toMatchObject({ code: 1, plan: { fits: false } });
    expect(few.plan.why).toContain(String(least));
  });

  test.each([
    ['20MB', 20e6],
    ['0.02GB', 20e6],
    ['24MiB', 24 * 2 ** 20],
    ['20000000', 20e6],
    ['20000 kb', 20e6],
  ])('--budget %s', async (text, bytes) => {
    expect((await planOf(story, '--budget', text)).budgetBytes).toBe(bytes);
  });

  test('context, quantize and slots change what they should', async () => {
    const { plan } = await planOf(story, '--context', '128', '--quantize', 'q8_0', '--slots', '8');
    expect(plan).toMatchObject({ contextTokens: 128, slotsPerLayer: 8, cacheRatio: 2, streams: true });
    const whole = await planOf(story);
    expect(plan.bytes.kvCache).toBeLessThan(whole.plan.bytes.kvCache);
    expect(plan.bytes.oneExpert).toBeLessThan(whole.plan.bytes.oneExpert * 0.6);
  });

  test('pages of atomic experts are counted as what they are', async () => {
    const { plan } = await planOf(atomic);
    expect(plan).toMatchObject({ experts: 4096, expertsPerToken: 32, slotsPerLayer: 64 });
  });

  test('says all of it to people, in few words', async () => {
    const { code, out } = await run('plan', story, '--budget', '18MB');
    expect(code).toBe(0);
    const { plan } = await planOf(story, '--budget', '18MB');
    expect(out).toMatch(/budget +18\.0 MB\n/);
    expect(out).toMatch(/slots +\d+ a layer, \d\.\d\d times what a token needs\n/);
    expect(out).toMatch(/verdict +fits\n/);
    for (const size of Object.values<number>(plan.bytes)) expect(out).toContain(`${formatCount(size)} bytes`);
    const all = await run('plan', story);
    expect(all.out).toMatch(/experts +all stay in GPU memory/);
  });

  test('inspect tells the same sizes', async () => {
    const { out } = await run('plan', story);
    const sizes = out.slice(out.indexOf('download'));
    expect((await run('inspect', story)).out).toContain(sizes);
  });

  test('slots that this model cannot do with', async () => {
    const { code, notes } = await run('plan', story, '--slots', '3');
    expect(code).toBe(1);
    expect(notes.join()).toMatch(/slotsPerLayer is 3; one token needs 4/);
  });

  test('of a name of the hub, all files are listed with the licence', async () => {
    const file = await readFile(join(root, 'fixtures/gguf/olmoe.gguf'));
    const siblings = [
      { rfilename: 'x-F32.gguf', size: file.length },
      { rfilename: 'x-IQ1_S.gguf', size: file.length / 10 },
    ];
    const server = createServer(({ url = '', headers }, response) => {
      const [, from = '0', to = ''] = /bytes=(\d+)-(\d+)/.exec(headers.range ?? '') ?? [];
      const end = Math.min(file.length, Number(to) + 1);
      const range = { 'content-range': `bytes ${from}-${end - 1}/${file.length}` };
      if (url.startsWith('/api/models/a/b/')) {
        response.end(JSON.stringify({ siblings, cardData: { license: 'other', license_name: 'tale-1.0' } }));
      } else if (url === '/a/b/resolve/main/x-F32.gguf') {
        response.writeHead(206, range).end(file.subarray(Number(from), end));
      } else response.writeHead(404).end();
    });
    await new Promise<void>((listening) => void server.listen(0, listening));
    vi.stubEnv('HF_ENDPOINT', `http://localhost:${(server.address() as AddressInfo).port}`);
    try {
      const { plan, hub } = await planOf('a/b');
      const { dense, allExperts, kvCache, activations, staging, least } = plan.bytes;
      const others = kvCache + activations + staging;
      expect(hub).toMatchObject({ repo: 'a/b', license: 'tale-1.0' });
      expect(hub.choices).toMatchObject([
        {
          name: 'F32',
          sizeBytes: file.length,
          isProposed: true,
          memory: { whole: others + dense + allExperts, streamed: least },
        },
        {
          name: 'IQ1_S',
          isProposed: false,
          memory: { whole: others + Math.round((plan.parameters * 4.375) / 8) }, // unpacked
        },
      ]);
      const { out } = await run('plan', 'a/b');
      expect(out).toMatch(/verdict +fits\n/);
      expect(out).toMatch(
        /\na\/b; licence: tale-1\.0\n +file +download +memory, all experts +memory, streamed\n/,
      );
      expect(out).toMatch(/\n\* {2}F32 +\d.* [kM]B\n {3}IQ1_S /);
    } finally {
      vi.unstubAllEnvs();
      server.closeAllConnections();
      server.close();
    }
  });

  test('help fits one screen', async () => {
    const { out } = await run('plan', '--help');
    const lines = out.trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
  });

  test.each([
    [['plan', story, '--budget', 'much'], /--budget is "much"; wanted a size such as 512MB/],
    [['plan', story, '--budget', '0'], /--budget is "0"/],
    [['run', story, 'x', '--device', 'reference', '--budget', '1GB'], /--budget has no effect/],
    [['run', story, 'x', '--device', 'reference', '--start-now'], /--start-now has no effect/],
    [['run', story, 'x', '--device', 'reference', '--routes', 'r.json'], /--routes has no effect/],
    [['run', story, 'x', '--device', 'gpu', '--threads', '2'], /--threads has no effect on --device gpu/],
    [['run', story, 'x', '--threads', '0'], /--threads is 0; wanted a whole number of at least 1/],
    [['run', story, 'x', '--cache', '/tmp/x'], /--cache keeps what comes from a URL/],
    [['logits', story, '--ids', '1', '--policy', 'fifo'], /--policy is "fifo"; wanted ema or lru/],
    [['logits', story, '--ids', '1', '--lookahead', '3'], /--lookahead is "3"; wanted 0 or 1 or 2/],
    [['run', story, 'x', '--run-ahead', '1.5'], /streaming\.runAhead is 1\.5/],
  ])('%j is wrong usage, said in one sentence', async (argv, message) => {
    const { code, out, notes } = await run(...argv);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/^atomoe: [^\n]+$/);
    expect(notes[0]).not.toContain('a bug');
    expect(notes[0]).toMatch(message);
  });
});

describe('run with experts that come and go, on the driver that the unit lane names', () => {
  test('says what it always says, and writes routes that simulate reads', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'atomoe-routes-'));
    try {
      const golden = JSON.parse(await readFile(join(story, 'golden.json'), 'utf8'));
      const routes = join(folder, 'routes.json');
      const options = ['--tuning', 'off', '--temperature', '0', '--max-tokens', '6', '--json'];
      const streamed = ['--slots', '8', '--routes', routes];
      const { code, out, notes } = await run('run', story, golden.prompt, ...options, ...streamed);
      expect(notes).toEqual([`the routes are in ${routes}`]);
      expect(code).toBe(0);
      const { text, streaming } = JSON.parse(out);
      expect(golden.greedy_text.startsWith(golden.prompt + text)).toBe(true);
      expect(streaming.tokens).toBe(5); // the first one comes with the prompt
      expect(streaming.hitRate).toBeGreaterThan(0);
      expect(streaming.bytesPerToken).toBeGreaterThan(0);
      const simulated = await run('simulate', routes, '--policy', 'ema', '--ratio', '2', '--json');
      const trace = JSON.parse(simulated.out);
      expect(trace).toMatchObject({ layers: 6, experts: 32, topK: 4, tokens: 5 });
      const { prime } = JSON.parse(await readFile(routes, 'utf8'));
      expect(prime).toHaveLength(6);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('records routes where all experts would fit, too', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'atomoe-routes-'));
    try {
      const routes = join(folder, 'routes.json');
      await writeFile(routes, 'old');
      const options = ['--tuning', 'off', '--seed', '1', '--max-tokens', '4', '--routes', routes];
      const { code } = await run('run', atomic, 'Once upon a time', ...options);
      expect(code).toBe(0);
      const { units, topK, steps, primeTokens } = JSON.parse(await readFile(routes, 'utf8'));
      expect({ units, topK, steps: steps.length }).toEqual({ units: 64, topK: 32, steps: 3 });
      expect(primeTokens).toBeGreaterThan(1);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

test('--cache keeps what came from a URL: the second time the server may be gone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'atomoe-kept-'));
  const model = join(root, 'fixtures/models/qwen3_moe');
  const server = createServer((request, response) => {
    readFile(join(model, request.url ?? '')).then(
      (bytes) => {
        const [, from = '0', to = '0'] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
        const part = bytes.subarray(Number(from), Number(to) + 1);
        const range = `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`;
        response.writeHead(206, { 'content-range': range, 'content-length': part.length }).end(part);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    const { port } = server.address() as { port: number };
    const url = `http://127.0.0.1:${port}/`;
    const argv = ['logits', url, '--ids', '1,2,3', '--device', 'cpu', '--cache', folder, '--json'];
    const first = await run(...argv);
    expect(first.notes).toEqual([]);
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    const second = await run(...argv);
    expect(second).toEqual(first);
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
});
