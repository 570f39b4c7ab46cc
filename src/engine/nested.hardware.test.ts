/** Nested bit planes as a GPU would run them: the software adapter, treated as hardware, with the kernels that the tuner chooses. */
import { expect, test } from 'vitest';
import { memoryFolder } from '../io/memory.ts';
import { MemoryStore } from './hardware.testing.ts';
import { floatModel, packedModel } from './nested-model.testing.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

const IDS = [1, 40, 17, 3, 90, 62, 8];
const files = await packedModel(floatModel(), 'nested4');

test.each([2, 3, 4] as const)('%i bits', async (expertBits) => {
  const folder = memoryFolder(files);
  const golden = await openEngine({ device: 'reference' });
  await golden.load(folder, { expertBits });
  const wanted = await golden.logits(IDS, 'at-once');
  golden.dispose();
  const engine = await openEngine({ tuning: 'auto', tuningStore: new MemoryStore() });
  expect(engine.adapter.adapterClass).toBe('hardware');
  await engine.load(folder, { expertBits });
  expect(largestError(await engine.logits(IDS, 'at-once'), wanted)).toBeLessThan(1e-4);
  const whole = await engine.logits(IDS, 'one-by-one');
  expect(largestError(whole, wanted)).toBeLessThan(1e-4);
  await engine.resize({ streaming: { slotsPerLayer: 2 } });
  expect(firstDifference(await engine.logits(IDS, 'one-by-one'), whole)).toBe('equal');
  engine.dispose();
});
