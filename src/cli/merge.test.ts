import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LocalEngine } from '../engine/engine.ts';
import { largestError } from '../engine/testing.ts';
import { nodeFolder } from '../io/node-file.ts';
import { runProgram } from './program.testing.ts';

const MODEL = 'demo/public/models/fable-moe-12m';

let folder = '';
let text = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomoe-merge-'));
  text = join(folder, 'text.txt');
  await writeFile(
    text,
    'Once upon a time, there was a little girl named Lily. She loved to play with her toys.',
  );
});
afterAll(() => rm(folder, { recursive: true }));

const run = (...argv: string[]) => runProgram(argv);

test('a merged model is run, packed or not, resident or streamed, and reports leaders of its groups', async () => {
  const [small, packed] = [join(folder, 'small'), join(folder, 'packed')];
  const { code, notes, out } = await run('merge', MODEL, small, '--into', '16', '--text', text, '--json');
  expect({ code, notes }).toEqual({ code: 0, notes: [] });
  const { layers } = JSON.parse(out);
  expect((await run('pack', small, packed)).code).toBe(0);
  const { atomoe } = JSON.parse(await readFile(join(packed, 'config.json'), 'utf8'));
  expect(atomoe.experts.alias).toEqual(layers.map(({ alias }: { alias: number[] }) => alias));
  const logits: Float32Array[] = [];
  for (const [path, device, streaming] of [
    [small, 'reference', {}],
    [packed, 'cpu', {}],
    [packed, 'cpu', { slotsPerLayer: 5, start: 'now', fill: false }],
  ] as const) {
    const engine = await LocalEngine.open({ device, threads: 1 });
    await engine.load(await nodeFolder(path), { streaming });
    logits.push(await engine.logits([1, 2, 3, 4, 5, 6, 7, 8], 'one-by-one'));
    for await (const event of engine
      .session()
      .generate('Once', { maxTokens: 3, temperature: 0, routes: true })) {
      if (event.kind !== 'token') continue;
      event.routes?.ids.forEach((ids, layer) => {
        const chosen = ids.filter((id) => id < 32); // 32: the token has fewer
        expect(layers[layer].leaders).toEqual(expect.arrayContaining(chosen));
        expect(new Set(chosen).size).toBe(chosen.length);
      });
    }
    engine.dispose();
  }
  const [reference = new Float32Array(), resident = new Float32Array(), streamed] = logits;
  expect(largestError(resident, reference)).toBeLessThan(1e-3); // kernels of the CPU against references
  expect(streamed).toEqual(resident);
});

test.each([
  [['--text', 'x'], 2, /--into is missing/],
  [['--into', '16'], 2, /--text is missing/],
  [
    ['--into', '3', '--text', 'TEXT'],
    1,
    /32 experts are to be merged into 3, and a token uses 4; wanted 4 to 31/,
  ],
])('%j is refused', async (options, wanted, message) => {
  const given = options.map((each) => (each === 'TEXT' ? text : each));
  const { code, notes } = await run('merge', MODEL, join(folder, 'none'), ...given);
  expect({ code, notes: notes.length }).toEqual({ code: wanted, notes: 1 });
  expect(notes[0]).toMatch(message);
});
