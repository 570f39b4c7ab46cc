import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LocalEngine } from '../engine/engine.ts';
import { storiesFolder } from '../engine/reshape/carve.testing.ts';
import { nodeFolder } from '../io/node-file.ts';
import { readExactly } from '../io/read.ts';
import { runProgram } from './program.testing.ts';

const FILES = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
const SIZES = ['--experts', '43', '--shared', '3', '--active'];

let folder = '';
let model = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomoe-carve-'));
  model = join(folder, 'stories');
  await mkdir(model);
  const stories = await storiesFolder();
  for (const name of FILES) {
    const file = await stories.open(name);
    if (file) await writeFile(join(model, name), await readExactly(file, 0, file.sizeBytes));
  }
  await writeFile(join(folder, 'text.txt'), 'Once upon a time, there was a little girl named Lily.');
});
afterAll(() => rm(folder, { recursive: true }));

const run = (...argv: string[]) => runProgram(argv);

test('a carved model is run, and packed', async () => {
  const out = join(folder, 'carved');
  const text = join(folder, 'text.txt');
  const { code, notes, out: said } = await run('carve', model, out, ...SIZES, '40', '--calibrate', text);
  expect({ code, notes }).toEqual({ code: 0, notes: [] });
  expect(said).toMatch(/3 shared and 40 of 40 for a token, in each of 5 layers/);
  const packed = await run('pack', out, join(folder, 'packed'));
  expect(packed.code).toBe(0);
  const engine = await LocalEngine.open({ device: 'cpu', threads: 1 });
  const logitsOf = async (path: string) => {
    const { experts } = await engine.load(await nodeFolder(path));
    return { experts, logits: await engine.logits([1, 403, 407]) };
  };
  const dense = await logitsOf(model);
  for (const path of [out, join(folder, 'packed')]) {
    const { experts, logits } = await logitsOf(path);
    expect(experts).toMatchObject({ layers: 5, perLayer: 40 });
    const errors = logits.map((value, at) => Math.abs(value - (dense.logits[at] ?? NaN)));
    expect(Math.max(...errors)).toBeLessThan(1e-4);
  }
  engine.dispose();
  const folded = await run('fold', out, join(folder, 'folded'));
  expect(folded.notes[0]).toMatch(/carved of a dense model/);
});

test('without a text neurons stay in their order', async () => {
  const { code, out } = await run('carve', model, join(folder, 'plain'), ...SIZES, '1', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ by: 'order', experts: 43, shared: 3, active: 1 });
});

test.each([
  [['--experts', '4'], 2, /--shared is missing/],
  [[...SIZES, '41'], 2, /--active is 41; wanted 1 to 40/],
  [['--experts', '5', '--shared', '1', '--active', '1'], 1, /5 experts do not divide the 172 neurons/],
  [[...SIZES, '1', '--calibrate', 'no-such-file'], 1, /--calibrate no-such-file cannot be read/],
])('%j is refused', async (options, wanted, message) => {
  const { code, notes } = await run('carve', model, join(folder, 'none'), ...options);
  expect({ code, notes: notes.length }).toEqual({ code: wanted, notes: 1 });
  expect(notes[0]).toMatch(message);
});
