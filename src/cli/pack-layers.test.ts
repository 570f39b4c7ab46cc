/** What layers of experts have to be to be packed, and that everything they read is packed. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LocalEngine } from '../engine/index.ts';
import { peerFiles } from '../engine/peer-model.testing.ts';
import { draftModel } from '../engine/load/planning.ts';
import { unevenFamily, unevenFolder } from '../engine/uneven-model.testing.ts';
import { nodeFolder } from '../io/node-file.ts';
import { main } from './program.ts';
import { recordsOf } from './pack.ts';

let scratch = '';
beforeAll(async () => void (scratch = await mkdtemp(join(tmpdir(), 'atomoe-layers-'))));
afterAll(() => rm(scratch, { recursive: true }));

async function logits(path: string): Promise<Float32Array> {
  const engine = await LocalEngine.open({ device: 'cpu' });
  try {
    await engine.load(await nodeFolder(path));
    return await engine.logits([3, 1, 4, 1, 5]);
  } finally {
    engine.dispose();
  }
}

test('a packed PEER model says what the model says: tensors that weights are derived from are in it', async () => {
  const [model, packed] = [join(scratch, 'peer'), join(scratch, 'packed')];
  await mkdir(model);
  for (const [name, bytes] of Object.entries(peerFiles())) await writeFile(join(model, name), bytes);
  const { signal } = new AbortController();
  const quiet = {
    write: () => {},
    note: () => {},
    aside: () => {},
    status: () => {},
    isMixed: false,
    signal,
  };
  expect(await main(['pack', model, packed], quiet)).toBe(0);
  expect(await logits(packed)).toEqual(await logits(model));
});

test('layers that differ in their experts are not packed, and the message names two', async () => {
  const drafted = await draftModel(unevenFolder(), {}, { families: [unevenFamily] });
  expect(() => recordsOf(drafted)).toThrow(
    /layers 0 and 1 .* differ in their experts; .* use the model as it is/,
  );
  drafted.checkpoint.dispose();
});
