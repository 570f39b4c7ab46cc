/** Packs whose records lie in the order of a trace: experts keep their ids, and results their bits. */
import { setMaxListeners } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { LocalEngine } from '../engine/index.ts';
import { draftModel } from '../engine/load/planning.ts';
import { forced } from '../engine/streaming.testing.ts';
import { readGolden, type TrainedGolden } from '../engine/testing.ts';
import { coalescedFolder } from '../io/coalesce.ts';
import { nodeFolder } from '../io/node-file.ts';
import type { FolderSource } from '../io/source.ts';
import { runProgram } from './program.testing.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const MOE = 'demo/public/models/fable-moe-12m';
const OMNI = 'demo/public/models/fable-omni-8m';
const SOME = ['--device', 'cpu', '--max-tokens', '48', '--seed', '1'];
const PROMPT_TOKENS = 16;
const TOKENS = 64;

let scratch = '';
let count = 0;
const fresh = (name: string) => join(scratch, `${name}-${++count}`);
const { signal } = new AbortController();
setMaxListeners(0, signal); // as the terminal of a process does
const run = (...argv: string[]) => runProgram(argv, { signal });

/** What a reply of a model used, as one of the commands writes it. */
async function traced(model: string, flag: '--routes' | '--trace'): Promise<string> {
  const path = fresh('trace');
  expect(await run('run', model, 'Once upon a time', ...SOME, flag, path)).toMatchObject({ code: 0 });
  return path;
}

async function packed(model: string, ...options: string[]): Promise<string> {
  const folder = fresh('pack');
  expect(await run('pack', model, folder, ...options)).toMatchObject({ code: 0, notes: [] });
  return folder;
}

/** A folder whose adjacent reads become one, as those of a server do, and how many reads of records there were. */
async function counted(path: string): Promise<{ folder: FolderSource; requests: () => number }> {
  let requests = 0;
  const inner = await nodeFolder(path);
  const folder: FolderSource = {
    ...inner,
    async open(name, options) {
      const file = await inner.open(name, options);
      if (!file || !name.endsWith('.bin')) return file;
      const read: typeof file.read = (...asked) => {
        requests += 1;
        return file.read(...asked);
      };
      return { name, sizeBytes: file.sizeBytes, read, dispose: () => file.dispose?.() };
    },
  };
  return { folder: coalescedFolder(folder), requests: () => requests };
}

/** The logits of a prompt and of tokens after it, and the requests that records took, with few slots or with all. */
async function played(path: string, slotsPerLayer: number) {
  const { folder, requests } = await counted(path);
  const { perplexity } = await readGolden<TrainedGolden>(folder);
  const engine = await LocalEngine.open({ device: 'cpu' });
  try {
    const streaming = { start: 'now', fill: false, lookahead: 0, hostBudget: 0, slotsPerLayer } as const;
    await engine.load(folder, { streaming, signal });
    const logits = await forced(engine.runner, perplexity.ids.slice(0, TOKENS), PROMPT_TOKENS);
    return { logits, requests: requests(), report: await engine.streaming() };
  } finally {
    engine.dispose();
  }
}

async function orderIn(folder: string) {
  const { checkpoint } = await draftModel(await nodeFolder(folder), {});
  const order = checkpoint.records?.order;
  checkpoint.dispose();
  return order;
}

beforeAll(async () => void (scratch = await mkdtemp(join(tmpdir(), 'atomoe-placed-'))));
afterAll(() => rm(scratch, { recursive: true }));

describe.each([
  ['fable-moe-12m by its routes', MOE, '--routes', 8],
  ['fable-omni-8m in pages, by the hooks that replay it', OMNI, '--trace', 40],
] as const)('%s', (_name, model, flag, slots) => {
  let plain = '';
  let placed = '';
  beforeAll(async () => {
    plain = await packed(model);
    placed = await packed(model, '--trace', await traced(model, flag));
  });

  test('holds the records of the model under its ids, in another order', async () => {
    const [before, after] = await Promise.all(
      [plain, placed].map(async (path) => draftModel(await nodeFolder(path), {})),
    );
    const { layers, unitsPerLayer, order } = after!.experts!;
    expect(order).toHaveLength(layers);
    expect(order).not.toEqual(order!.map((units) => units.toSorted((a, b) => a - b)));
    expect(before!.experts!.order).toBeUndefined();
    for (let layer = 0; layer < layers; layer += 1) {
      for (let unit = 0; unit < unitsPerLayer; unit += 1) {
        const [wanted, found] = await Promise.all(
          [before!, after!].map(({ experts }) => experts!.read(layer, unit)),
        );
        expect(Buffer.compare(found!, wanted!), `unit ${unit} of layer ${layer}`).toBe(0);
      }
    }
    for (const each of [before!, after!]) each.checkpoint.dispose();
  });

  test('resident, streamed and in no order have the same bits; the order takes fewer requests', async () => {
    const [resident, asItWas, streamed] = await Promise.all([
      played(placed, 1e6),
      played(plain, slots),
      played(placed, slots),
    ]);
    expect(streamed!.report!.misses).toBeGreaterThan(0);
    expect(streamed!.report!.misses).toBe(asItWas!.report!.misses);
    for (const { logits } of [asItWas!, streamed!]) expect(logits).toEqual(resident!.logits);
    expect(streamed!.requests).toBeLessThan(asItWas!.requests);
  });

  test('verify accepts it, routes keep the ids of the model, and packed again it keeps its order', async () => {
    expect(await run('verify', placed, '--device', 'cpu')).toMatchObject({ code: 0 });
    const [before, after] = await Promise.all([plain, placed].map((path) => traced(path, '--trace')));
    expect(await readFile(after!, 'utf8')).toBe(await readFile(before!, 'utf8'));
    expect(await orderIn(await packed(placed))).toEqual(await orderIn(placed));
  });
});

test('the report says that it is placed', async () => {
  const trace = await traced(MOE, '--routes');
  const { out } = await run('pack', MOE, fresh('pack'), '--trace', trace);
  expect(out).toMatch(/^order +experts used together side by side$/m);
  const { out: json } = await run('pack', MOE, fresh('pack'), '--trace', trace, '--json');
  expect(JSON.parse(json)).toMatchObject({ isPlaced: true, layers: 6, unitsPerLayer: 32 });
});

test('a pruned model takes a trace of the whole one', async () => {
  const [trace, small] = [await traced(MOE, '--routes'), fresh('pruned')];
  expect(await run('prune', MOE, small, '--keep', '12', '--trace', trace)).toMatchObject({ code: 0 });
  for (const own of [trace, await traced(small, '--trace'), await traced(small, '--routes')]) {
    const order = await orderIn(await packed(small, '--trace', own));
    expect(order).toHaveLength(6);
    for (const units of order!) expect(units.toSorted((a, b) => a - b)).toEqual([...Array(12).keys()]);
  }
});

describe('refuses', () => {
  test.each([
    [
      'fixtures/traces/qwen.route.csv.gz',
      /is of 48 layers of 128 experts, .* has 6 of 32; wanted a trace of this model/,
    ],
    ['package.json', /its format is undefined version .*, "atomoe-routes" version 1 is wanted/],
    ['/no/such/file', /does not exist; wanted a route trace/],
  ])('%s', async (path, message) => {
    const { code, notes } = await run('pack', MOE, fresh('pack'), '--trace', path);
    expect(code).toBe(1);
    expect(notes).toEqual([expect.stringMatching(message)]);
  });

  test('hooks without a trace, and simulating them', async () => {
    const path = fresh('hooks');
    await writeFile(path, '{"replay": {"trace": {"tokens": [{"ids": [["x"]]}]}}}');
    const { notes } = await run('pack', MOE, fresh('pack'), '--trace', path);
    expect(notes).toEqual([expect.stringMatching(/replay\.trace\.tokens are not lists of ids by layer/)]);
    const { notes: of } = await run('simulate', path);
    expect(of).toEqual([expect.stringMatching(/does not say how many experts there are; wanted routes/)]);
  });
});
