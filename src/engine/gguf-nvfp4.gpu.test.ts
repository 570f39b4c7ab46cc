/**
 * GGUF files of NVFP4, with and without factors of tensors: the same logits as the reference gives with the dequantised floats, and
 * the same bits with few experts in memory.
 */
import { expect, test } from 'vitest';
import { folderOf, twins } from './gguf-grids.testing.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

const IDS = [1, 40, 17, 3, 90, 62, 8];
const TOLERANCE = 1e-4; // of logits

test.each([
  ['without factors', false],
  ['with factors of tensors and experts', true],
])('%s', async (_, hasFactors) => {
  const { blocks, floats } = await twins(['NVFP4', 'NVFP4', 'NVFP4'], hasFactors);
  const golden = await openEngine({ device: 'reference' });
  await golden.load(folderOf(floats));
  const wanted = await golden.logits(IDS, 'at-once');
  golden.dispose();
  for (const device of ['gpu', 'cpu', 'reference'] as const) {
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(folderOf(blocks));
    expect(largestError(await engine.logits(IDS, 'at-once'), wanted), device).toBeLessThan(TOLERANCE);
    const whole = await engine.logits(IDS, 'one-by-one');
    expect(largestError(whole, wanted), device).toBeLessThan(TOLERANCE);
    if (device !== 'reference') {
      await engine.resize({ streaming: { slotsPerLayer: 2 } });
      expect(firstDifference(await engine.logits(IDS, 'one-by-one'), whole), device).toBe('equal');
    }
    engine.dispose();
  }
});
