/**
 * GGUF files with ternary experts: the same logits as the reference gives with the dequantised floats, the same bits with few experts in
 * memory, and 2.125 bits a weight there.
 */
import { expect, test } from 'vitest';
import { folderOf, twins } from './gguf-grids.testing.ts';
import { TERNARY_MIXES } from './gguf-ternary.testing.ts';
import { draftModel } from './load/planning.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

const IDS = [1, 40, 17, 3, 90, 62, 8];
const TOLERANCE = 1e-4; // of logits

test.each(TERNARY_MIXES)('%s for gate and up, %s for down, %s for the rest', async (...mix) => {
  const { blocks, floats } = await twins(mix);
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

test('an expert takes 2.125 bits a weight', async () => {
  const { blocks } = await twins(TERNARY_MIXES[0]);
  const drafted = await draftModel(folderOf(blocks), {});
  const { experts, expertLayers, checkpoint } = drafted;
  const [layer] = expertLayers;
  const weights = Object.values(layer?.parts ?? {}).reduce(
    (sum, { shape: [rows, cols] }) => sum + rows * cols,
    0,
  );
  expect(experts?.expertSizeBytes).toBe((2.125 / 8) * weights);
  const record = await experts?.read(0, 0);
  expect(record?.byteLength).toBe(experts?.layout(0).sizeBytes);
  checkpoint.dispose();
});
