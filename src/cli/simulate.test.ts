import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseTrace } from '../experts/study/trace-file.ts';
import { traceToJson } from '../experts/study/trace-json.ts';
import { runProgram } from './program.testing.ts';

const gptOss = resolve(import.meta.dirname, '../../fixtures/traces/gptoss.route.csv.gz');

const run = (...argv: string[]) => runProgram(['simulate', ...argv]);

/** A trace without steps, some of it changed. */
function traceOf(changed: object): string {
  const head = {
    format: 'atomoe-routes',
    version: 1,
    label: 't',
    layers: 1,
    units: 8,
    topK: 2,
    unitBytes: 1,
  };
  return JSON.stringify({ ...head, steps: [], ...changed });
}

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomoe-simulate-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the report', () => {
  test('has all policies and both bounds', async () => {
    const { code, out, notes } = await run(gptOss);
    expect(code).toBe(0);
    expect(notes).toEqual([]);
    expect(out).toMatch(/^gpt-oss-120b-Q4_K_M\.gguf: 36 layers of 128 experts, 2 a token, 64 tokens\n/);
    expect(out).toMatch(/\n {2}ratio +1 +1\.5 +2 +3 +4 +6\n/);
    expect(out).toMatch(/\n {2}size +952 MB +1\.43 GB/);
    expect(out).toMatch(/\nuses of experts, mean of layers\n {2}Gini coefficient +0\.\d\d\n/);
    expect(out).toMatch(/\n {2}top 2 of both halves of the text, Jaccard +0\.\d\d\n/);
    expect(out).toMatch(/F1 %\n {2}N = 4 +\d+\.\d/);
    expect(out).toMatch(/\n {2}ema +18\.3 +27\.6 +34\.7 +44\.9 +51\.0 +59\.2\n/);
    expect(out).toMatch(/\n {2}lfru +18\.3 +27\.5 +35\.8/);
    for (const name of ['lru', 'lfu', 'random', 'belady', 'bound per layer', 'bound of one pool'])
      expect(out).toContain(`\n  ${name} `);
    expect(Math.max(...out.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(100);
  });

  test('keeps to what was asked for', async () => {
    const { out } = await run(gptOss, '--policy', 'lru,lfru', '--ratio', '2,0.75');
    expect(out).toMatch(/\n {2}ratio +0\.75 +2\n/);
    expect(out).toMatch(/\n {2}lru +14\.2 +33\.6\n {2}lfru +14\.2 +35\.8\n {2}bound per layer/);
    expect(out).toContain('lru in detail');
    expect(out).not.toContain('ema');
  });

  test('as JSON', async () => {
    const { out } = await run(gptOss, '--json', '--ratio', '2');
    const { label, tokens, sizes, segments } = JSON.parse(out);
    expect({ label, tokens }).toEqual({ label: 'gpt-oss-120b-Q4_K_M.gguf', tokens: 64 });
    const [{ ratio, places, cacheBytes, policies, bounds }] = sizes;
    expect({ ratio, places, cacheBytes }).toEqual({ ratio: 2, places: 144, cacheBytes: 144 * 13219200 });
    const { ema } = policies;
    expect(ema.hitRate).toBeCloseTo(0.347, 3);
    const { compulsory, capacity, policy } = ema.misses;
    expect(ema.bytesPerToken).toBeCloseTo(((compulsory + capacity + policy) * 13219200) / 64, 3);
    expect(bounds.onePool).toBeGreaterThan(bounds.perLayer);
    expect(JSON.parse(out).concentration.gini).toBeGreaterThan(0.3);
    expect(segments[0].fixed).toEqual([{ ratio: 2, f1: expect.any(Number) }]);
    expect(segments.map((segment: { tokens: number }) => segment.tokens)).toEqual([4, 16, 64]);
  });
});

test('reads CSV, zipped or not, and JSON', async () => {
  const text = gunzipSync(await readFile(gptOss)).toString();
  await writeFile(join(folder, 'plain.csv'), text);
  await writeFile(join(folder, 'routes.json'), traceToJson(parseTrace(text, 'gptoss')));
  const options = ['--policy', 'ema', '--ratio', '2'];
  const { out } = await run(gptOss, ...options);
  for (const name of ['plain.csv', 'routes.json'])
    expect((await run(join(folder, name), ...options)).out).toBe(out);
});

test('a trace too short for segments says so', async () => {
  const head = { format: 'atomoe-routes', version: 1, label: 'short', layers: 1, units: 4, topK: 1 };
  const file = join(folder, 'short.json');
  await writeFile(file, JSON.stringify({ ...head, unitBytes: 10, prime: null, steps: [[[0]], [[0]]] }));
  const { code, out } = await run(file, '--ratio', '1');
  expect(code).toBe(0);
  expect(out).toMatch(/F1 \(SRP\), % +- +- +-\n/);
  expect(out).toMatch(/\n {2}ema +50\.0\n/);
});

test('draws the curves', async () => {
  const file = join(folder, 'hits.svg');
  const { code, notes } = await run(gptOss, '--svg', file, '--policy', 'ema,lru', '--ratio', '1,2,4');
  expect(code).toBe(0);
  expect(notes).toEqual([`the curves are in ${file}`]);
  const svg = await readFile(file, 'utf8');
  expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox/);
  expect(svg.match(/<polyline /g)).toHaveLength(4);
  expect(svg.match(/<polyline class="curve bound"/g)).toHaveLength(2);
  for (const words of [
    '>ema<',
    '>lru<',
    '>bound per layer<',
    'hit rate, % of expert uses',
    'prefers-color-scheme',
  ])
    expect(svg).toContain(words);
  expect(svg).not.toMatch(/NaN|undefined|https?:(?!\/\/www\.w3\.org\/2000\/svg)/);
});

test('curves that cannot be written', async () => {
  const options = ['--ratio', '2', '--policy', 'lru', '--svg', '/no/such/folder/x.svg'];
  const { code, notes } = await run(gptOss, ...options);
  expect(code).toBe(1);
  expect(notes.join()).toMatch(/--svg .* cannot be written/);
});

describe('wrong usage', () => {
  test.each([
    [['--policy', 'ema,fifo'], /--policy has "fifo"; wanted all, or some of ema, lru/],
    [['--ratio', '1,x'], /--ratio has "x"; wanted numbers above 0/],
    [['--ratio', '0'], /--ratio has "0"/],
    [['--ratio', ''], /--ratio has ""/],
  ])('%j', async (options, message) => {
    const { code, notes } = await run(gptOss, ...options);
    expect(code).toBe(2);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(message);
    expect(notes[0]).not.toContain('a bug');
  });

  test.each([
    ['missing.csv', undefined, /missing\.csv does not exist; wanted a route trace/],
    ['cut.csv.gz', Uint8Array.of(0x1f, 0x8b, 8, 0), /cut\.csv\.gz is not whole: it does not unzip/],
    ['bytes.csv', Uint8Array.of(0xff, 0xfe), /bytes\.csv is not UTF-8 text/],
    ['other.csv', 'a,b\n1,2\n', /other\.csv: there is no column "phase"/],
    ['bomb.csv.gz', gzipSync(Buffer.alloc(260e6)), /bomb\.csv\.gz unzips to more than 256 MB/],
    ['layers.json', traceOf({ layers: 2 ** 31 }), /layers\.json: it has no decode step/],
    ['units.json', traceOf({ units: 2 ** 40, steps: [[[0]]] }), /1 layers of 1099511627776 experts/],
    ['escape.json', traceOf({ format: '\u001b]0;x\u0007' }), /its format is "\\u001b\]0;x\\u0007"/],
    ['other.json', '{}', /other\.json: its format is undefined version undefined/],
  ])('%s', async (name, content, message) => {
    const file = join(folder, name);
    if (content !== undefined) await writeFile(file, content);
    const { code, out, notes } = await run(file);
    expect(code).toBe(1);
    expect(out).toBe('');
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(message);
    expect(notes[0]).not.toContain('a bug');
  });
});
