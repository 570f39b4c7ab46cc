/** @module-tag full */
import { expect, test } from 'vitest';
import { modelInMemory } from './streaming.testing.ts';
import { openEngine } from './testing.ts';

test('a model that is given room for all its experts fetches them in the background', async () => {
  const engine = await openEngine();
  try {
    const folder = await modelInMemory('demo/public/models/fable-moe-12m');
    await engine.load(folder, { streaming: { slotsPerLayer: 8 } });
    const plan = await engine.resize({ streaming: { slotsPerLayer: 32 } });
    expect(plan.slotsPerLayer).toBe(32);
    await expect.poll(async () => (await engine.streaming())?.isComplete, { timeout: 60_000 }).toBe(true);
  } finally {
    engine.dispose();
  }
});
