/**
 * GGUF files with ternary experts: the same logits as the reference gives with the dequantised floats, the same bits with few experts in
 * memory, and 2.125 bits a weight there.
 */
import { expect, test } from 'vitest';
import { expectAsFloats, folderOf, twins } from './gguf-grids.testing.ts';
import { TERNARY_MIXES } from './gguf-ternary.testing.ts';
import { draftModel } from './load/planning.ts';

test.each(TERNARY_MIXES)('%s for gate and up, %s for down, %s for the rest', async (...mix) => {
  await expectAsFloats(mix);
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
