/** Streamed runs say what the resident run says, bit for bit. */
import { describe, expect, test } from 'vitest';
import type { StreamingOptions } from './api.ts';
import {
  firstDifference,
  openEngine,
  readGolden,
  repositoryFolder,
  TRAINED_MODELS,
  type TrainedGolden,
} from './testing.ts';

describe.each(TRAINED_MODELS)('%s', (name) => {
  test('few slots, with and without running ahead', async () => {
    const folder = await repositoryFolder(`demo/public/models/${name}`);
    const golden = await readGolden<TrainedGolden>(folder);
    const ids = golden.perplexity.ids.slice(0, 24);
    const run = async (streaming?: StreamingOptions) => {
      const engine = await openEngine({ streamTesting: { poison: 0x7fc00000 } });
      try {
        await engine.load(folder, streaming ? { streaming } : {});
        const one = await engine.logits(ids, 'one-by-one');
        const all = await engine.logits(ids, 'at-once');
          name,
          JSON.stringify(engine.model?.plan),
          JSON.stringify(runner.streamed?.counters),
          JSON.stringify(runner.streamed?.streamer.counters),
          runner.streamed?.streamer.recall(),
        );
        return { one, all };
      } finally {
        engine.dispose();
      }
    };
    const whole = await run();
    const k = name === 'fable-moe-12m' ? 8 : 40;
    for (const streaming of [
      { slotsPerLayer: k, runAhead: 0 },
      { slotsPerLayer: k, runAhead: 3, lookahead: 2 },
    ] as const) {
      const part = await run(streaming);
      expect(firstDifference(part.one, whole.one)).toBe('equal');
      expect(firstDifference(part.all, whole.all)).toBe('equal');
    }
  }, 120_000);
});
