import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LocalEngine } from '../engine/engine.ts';
import { firstDifference } from '../engine/testing.ts';
import { unitsOf } from '../experts/study/trace.ts';
import { parseTrace } from '../experts/study/trace-file.ts';
import { nodeFolder } from '../io/node-file.ts';
import { runProgram } from './program.testing.ts';

const MODEL = 'demo/public/models/fable-moe-12m';
const TEXT =
  'Once upon a time, there was a little girl named Lily. She loved to play with her toys in the park.';

let folder = '';
let text = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomoe-prune-'));
  text = join(folder, 'text.txt');
  await writeFile(text, TEXT);
  expect(await run('prune', MODEL, join(folder, 'small'), '--keep', '12', '--text', text)).toMatchObject({
    code: 0,
    notes: [],
  });
});
afterAll(() => rm(folder, { recursive: true }));

const run = (...argv: string[]) => runProgram(argv);

async function keptIds(path: string): Promise<number[][]> {
  return JSON.parse(await readFile(join(path, 'config.json'), 'utf8')).atomoe.experts.ids;
}

describe('a pruned model', () => {
  test('is run, packed or not, and reports its experts by their original numbers', async () => {
    const [small, packed] = [join(folder, 'small'), join(folder, 'packed')];
    expect((await run('pack', small, packed)).code).toBe(0);
    const kept = await keptIds(small);
    expect(kept.map(({ length }) => length)).toEqual([12, 12, 12, 12, 12, 12]);
    expect(await keptIds(packed)).toEqual(kept);
    const logits: Float32Array[] = [];
    for (const path of [small, packed]) {
      const engine = await LocalEngine.open({ device: 'reference' });
      await engine.load(await nodeFolder(path));
      logits.push(await engine.logits([1, 2, 3, 4]));
      expect(engine.model?.experts.original).toEqual({ count: 32, ids: kept });
      const seen = new Set<number>();
      for await (const event of engine
        .session()
        .generate('Once', { maxTokens: 4, temperature: 0, routes: true })) {
        if (event.kind !== 'token') continue;
        event.routes?.ids.forEach((ids, layer) =>
          expect(kept[layer]).toEqual(expect.arrayContaining([...ids])),
        );
        event.routes?.ids.flat().forEach((id) => seen.add(id));
      }
      expect(Math.max(...seen)).toBeGreaterThan(12);
      engine.dispose();
    }
    const [plain = new Float32Array(), other = new Float32Array(1)] = logits;
    expect(firstDifference(plain, other)).toBe('equal');
  });

  test('records routes in the original numbers, which prune it and the original alike', async () => {
    const [small, routes] = [join(folder, 'small'), join(folder, 'routes.json')];
    const recorded = await run(
      'run',
      small,
      'Once',
      '--max-tokens',
      '6',
      '--device',
      'cpu',
      '--temperature',
      '0',
      '--routes',
      routes,
    );
    expect(recorded.notes).toEqual([`the routes are in ${routes}`]);
    const trace = parseTrace(await readFile(routes, 'utf8'), 'routes');
    const kept = await keptIds(small);
    expect(trace.units).toBe(32);
    for (let step = 0; step < trace.steps; step += 1) {
      for (let layer = 0; layer < trace.layers; layer += 1)
        expect(kept[layer]).toEqual(expect.arrayContaining([...unitsOf(trace, step, layer)]));
    }
    const [again, direct] = [join(folder, 'again'), join(folder, 'direct')];
    expect(await run('prune', small, again, '--keep', '4', '--trace', routes)).toMatchObject({
      code: 0,
      notes: [],
    });
    expect(await run('prune', MODEL, direct, '--keep', '4', '--trace', routes)).toMatchObject({
      code: 0,
      notes: [],
    });
    const used = (await keptIds(again)).map((ids) => ids.toSorted((a, b) => a - b));
    expect(await keptIds(direct)).toEqual(used);
  });

  test('is reported', async () => {
    const { out } = await run(
      'prune',
      MODEL,
      join(folder, 'reported'),
      '--keep',
      '24',
      '--text',
      text,
      '--by',
      'easy-ep',
      '--json',
    );
    const { kept, by, experts, saliency, sizeBytes, beforeBytes } = JSON.parse(out);
    expect({ by, experts, layers: kept.length, each: kept[0].length }).toEqual({
      by: 'easy-ep',
      experts: 32,
      layers: 6,
      each: 24,
    });
    expect(Object.keys(saliency[0])).toEqual(['reap', 'easy-ep', 'usage']);
    // 8 experts of 6 layers, three f16 matrices of 96 x 192 each.
    expect((beforeBytes - sizeBytes) / (48 * 3 * 96 * 192 * 2)).toBeCloseTo(1, 1);
  });
});

describe('wrong usage', () => {
  test.each([
    [['--keep', '12'], /--text and --trace are missing; wanted one of them/],
    [['--keep', '12', '--text', 'a', '--trace', 'b'], /both given/],
    [['--text', 'a'], /--keep is missing/],
    [['--keep', '0', '--text', 'a'], /--keep is 0/],
    [['--keep', '12', '--text', 'a', '--by', 'size'], /--by is "size"; wanted reap or easy-ep or usage/],
    [
      ['--keep', '12', '--trace', 'a', '--by', 'reap'],
      /--by reap reads outputs of experts, which a trace has not/,
    ],
  ])('%j', async (options, message) => {
    const { code, notes } = await run('prune', MODEL, join(folder, 'none'), ...options);
    expect({ code, notes: notes.length }).toEqual({ code: 2, notes: 1 });
    expect(notes[0]).toMatch(message);
  });

  test.each([
    [MODEL, ['--keep', '2'], /2 experts are to be kept of 32, of which a token uses 4; wanted 4 to 31/],
    [MODEL, ['--keep', '12', '--text', '/no/such/text'], /--text \/no\/such\/text cannot be read/],
    [MODEL, ['--keep', '12', '--trace', 'fixtures/traces/qwen.route.csv.gz'], /wanted a trace of this model/],
    ['fixtures/models/olmoe', ['--keep', '6'], /has no tokenizer\.json, which --text needs/],
    [
      'fixtures/gguf-quant/qwen3moe-q4_0.gguf',
      ['--keep', '4', '--trace', 'fixtures/traces/qwen.route.csv.gz'],
      /wanted a trace/,
    ],
    ['demo/public/models/fable-omni-8m', ['--keep', '64'], /single neurons of a grid/],
  ])('%s %j', async (model, options, message) => {
    const given =
      options.includes('--trace') || options.includes('--text') ? options : [...options, '--text', text];
    const { code, notes } = await run('prune', model, join(folder, 'none'), ...given);
    expect(notes[0]).toMatch(message);
    expect({ code, notes: notes.length }).toEqual({ code: 1, notes: 1 });
    await expect(readFile(join(folder, 'none', 'config.json'))).rejects.toThrow('ENOENT');
  });

  test('a folder with something in it stays as it is', async () => {
    const { code, notes } = await run('prune', MODEL, join(folder, 'small'), '--keep', '12', '--text', text);
    expect(code).toBe(1);
    expect(notes[0]).toMatch(/a new or empty folder is wanted/);
  });
});
