/** Packs of models that other tools have quantised: their config still says so, but their tensors are plain. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LocalEngine } from '../engine/index.ts';
import { mxfp4Pair, quantizedPair } from '../engine/quantized-model.testing.ts';
import { firstDifference, repositoryFolder } from '../engine/testing.ts';
import { encodeFp8 } from '../containers/quantized.testing.ts';
import { nodeFolder } from '../io/node-file.ts';
import type { FolderSource } from '../io/source.ts';
import { main } from './program.ts';

let scratch = '';

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'atomoe-quantized-'));
});
afterAll(() => rm(scratch, { recursive: true }));

async function pack(
  model: FolderSource,
  to: string,
): Promise<{ readonly code: number; readonly notes: string[] }> {
  for (const name of ['config.json', 'model.safetensors']) {
    const file = await model.open(name);
    if (file) await writeFile(join(scratch, name), await file.read(0, file.sizeBytes));
  }
  const notes: string[] = [];
  const code = await main(['pack', scratch, to], {
    write: () => {},
    note: (line) => notes.push(line),
    aside: () => {},
    status: () => {},
    isMixed: false,
    signal: new AbortController().signal,
  });
  return { code, notes };
}

async function logits(folder: FolderSource): Promise<Float32Array> {
  const engine = await LocalEngine.open({ device: 'cpu' });
  try {
    await engine.load(folder);
    return await engine.logits([5, 17, 3, 90]);
  } finally {
    engine.dispose();
  }
}

test('experts in MXFP4 give the same bits from records', async () => {
  const { quantized } = await mxfp4Pair(await repositoryFolder('fixtures/models/gpt_oss'));
  const to = join(scratch, 'packed');
  expect(await pack(quantized, to)).toEqual({ code: 0, notes: [] });
  expect(firstDifference(await logits(await nodeFolder(to)), await logits(quantized))).toBe('equal');
});

test('a dense matrix that safetensors cannot hold is refused', async () => {
  const how = {
    config: { quant_method: 'fp8', weight_block_size: [128, 128] },
    encode: encodeFp8(),
    which: /^(model\.layers\..*_proj)\.weight$/,
  };
  const { quantized } = await quantizedPair(await repositoryFolder('fixtures/models/qwen3_moe'), how);
  const { code, notes } = await pack(quantized, join(scratch, 'refused'));
  expect(code).not.toBe(0);
  expect(notes.join()).toMatch(
    /_proj\.weight" is F8_G128, which safetensors has not; the file streams as it is/,
  );
});
