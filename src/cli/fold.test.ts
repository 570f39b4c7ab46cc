import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LocalEngine } from '../engine/engine.ts';
import { nodeFolder } from '../io/node-file.ts';
import { runProgram } from './program.testing.ts';

const MODEL = 'demo/public/models/fable-moe-12m';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomoe-fold-'));
  await writeFile(join(folder, 'text.txt'), 'Once upon a time, there was a little girl named Lily.');
});
afterAll(() => rm(folder, { recursive: true }));

const run = (...argv: string[]) => runProgram(argv);

test('a folded model is run, and has no experts', async () => {
  const out = join(folder, 'dense');
  const { code, notes } = await run('fold', MODEL, out, '--text', join(folder, 'text.txt'));
  expect({ code, notes }).toEqual({ code: 0, notes: [] });
  const engine = await LocalEngine.open({ device: 'cpu', threads: 1 });
  const { experts } = await engine.load(await nodeFolder(out));
  expect(experts).toEqual({ layers: 0, perLayer: 0 });
  expect((await engine.logits([1, 2, 3])).every(Number.isFinite)).toBe(true);
  engine.dispose();
  const packed = await run('pack', out, join(folder, 'packed'));
  expect(packed.notes[0]).toMatch(/has no routed experts/);
});

test.each([
  [['--shared', '2'], 2, /--shared is 2; wanted a number from 0 to 1/],
  [['--text', 'a', '--trace', 'b'], 2, /both given/],
  [['--tokens', '5'], 2, /--tokens has no effect without a text/],
  [['--trace', 'fixtures/traces/qwen.route.csv.gz'], 1, /wanted a trace of this model/],
])('%j is refused', async (options, wanted, message) => {
  const { code, notes } = await run('fold', MODEL, join(folder, 'none'), ...options);
  expect({ code, notes: notes.length }).toEqual({ code: wanted, notes: 1 });
  expect(notes[0]).toMatch(message);
});

test('a text without words is refused', async () => {
  const path = join(folder, 'empty.txt');
  await writeFile(path, ' \n');
  const { code, notes } = await run('fold', MODEL, join(folder, 'none'), '--text', path);
  expect({ code, notes: notes.length }).toEqual({ code: 1, notes: 1 });
  expect(notes[0]).toMatch(/empty\.txt has no text; give some pages/);
});
