/** GGUF files in several formats on the CPU: kernels read all of them, and threads change no bit. */
import { expect, test } from 'vitest';
import { LocalEngine } from './engine.ts';
import { SimdRunner } from './run/simd-runner.ts';
import {
  firstDifference,
  largestError,
  readGolden,
  repositoryFolder,
  type FixtureGolden,
} from './testing.ts';

const TOLERANCE = 1e-4; // of logits, against transformers in f32

test.each(['qwen3moe-q4_0', 'olmoe-q4_k_m', 'qwen2moe-mixed'])('%s.gguf', async (name) => {
  const at = 'fixtures/gguf-quant';
  const golden = await readGolden<FixtureGolden>(await repositoryFolder(at), `${name}.golden.json`);
  const { ids } = golden;
  const logitsOf = async (options: Parameters<typeof LocalEngine.open>[0], int8 = false) => {
    const engine = await LocalEngine.open({ device: 'cpu', ...options });
    await engine.load(await repositoryFolder(`${at}/${name}.gguf`), int8 ? { activations: 'int8' } : {});
    const atOnce = await engine.logits(ids, 'at-once');
    const oneByOne = await engine.logits(ids, 'one-by-one');
    const { runner } = engine;
    if (!(runner instanceof SimdRunner)) throw new Error('another runner');
    const { byReference } = runner;
    engine.dispose();
    return { atOnce, oneByOne, byReference };
  };

  const alone = await logitsOf({ threads: 1 });
  expect(alone.byReference).toEqual([]);
  for (const logits of [alone.atOnce, alone.oneByOne])
    expect(largestError(logits, golden.logits.flat())).toBeLessThan(TOLERANCE);

  const shared = await logitsOf({ threads: 2 });
  expect(firstDifference(shared.atOnce, alone.atOnce)).toBe('equal');
  expect(firstDifference(shared.oneByOne, alone.oneByOne)).toBe('equal');

  const { oneByOne, byReference } = await logitsOf({ threads: 1 }, true);
  expect(byReference).toEqual([]);
  expect(oneByOne.every(Number.isFinite)).toBe(true);
});
