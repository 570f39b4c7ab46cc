/**
 * Layers that take four buffers, as on phones with small bindings: the same bits from few slots as from all.
 *
 * @module-tag full
 */
import { expect, test } from 'vitest';
import { forced, modelInMemory } from './streaming.testing.ts';
import { firstDifference, openEngine, readGolden, type TrainedGolden } from './testing.ts';

// The form of tiles that binds four buffers compiles for half a minute on software adapters: one model, few tokens.
test('four buffers a layer', async () => {
  const folder = await modelInMemory('demo/public/models/fable-moe-12m');
  const ids = (await readGolden<TrainedGolden>(folder)).perplexity.ids.slice(0, 16);
  // A layer takes 3 MiB and a half.
  const engine = await openEngine({ streamTesting: { expertBindingBytes: 2 ** 20, poison: 0x7fc07e01 } });
  try {
    await engine.load(folder);
    const pools = () => engine.runner.experts!.store.plan.poolsPerLayer;
    expect(pools()).toBe(4);
    const whole = await forced(engine.runner, ids, 12);
    await engine.resize({ streaming: { slotsPerLayer: 5, runAhead: 2, fill: false } });
    expect(pools()).toBe(4);
    expect(firstDifference(await forced(engine.runner, ids, 12), whole)).toBe('equal');
    expect(engine.runner.experts!.streamer.counters.evictions).toBeGreaterThan(0);
  } finally {
    engine.dispose();
  }
});
