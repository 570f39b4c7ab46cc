/** GGUF files of IQ and ternary formats as a GPU would run them: the software adapter, treated as hardware, with the kernels that the tuner chooses. */
import { expect, test } from 'vitest';
import { folderOf, MIXES, twins } from './gguf-grids.testing.ts';
import { TERNARY_MIXES } from './gguf-ternary.testing.ts';
import { MemoryStore } from './hardware.testing.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

const IDS = [1, 40, 17, 3, 90, 62, 8];

test.each([...MIXES, ...TERNARY_MIXES])('experts of %s and %s, others of %s', async (...mix) => {
  const { blocks, floats } = await twins(mix);
  const golden = await openEngine({ device: 'reference' });
  await golden.load(folderOf(floats));
  const wanted = await golden.logits(IDS, 'at-once');
  golden.dispose();
  const engine = await openEngine({ tuning: 'auto', tuningStore: new MemoryStore() });
  expect(engine.adapter.adapterClass).toBe('hardware');
  await engine.load(folderOf(blocks));
  expect(largestError(await engine.logits(IDS, 'at-once'), wanted)).toBeLessThan(1e-4);
  const whole = await engine.logits(IDS, 'one-by-one');
  expect(largestError(whole, wanted)).toBeLessThan(1e-4);
  await engine.resize({ streaming: { slotsPerLayer: 2 } });
  expect(firstDifference(await engine.logits(IDS, 'one-by-one'), whole)).toBe('equal');
  engine.dispose();
});
