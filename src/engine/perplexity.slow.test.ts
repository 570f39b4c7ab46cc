/** Both executors over the golden files' whole texts: minutes on CPUs. In Node; the GPU is Dawn's. */
import { describe, expect, test } from 'vitest';
import {
  openEngine,
  perplexity,
  readGolden,
  repositoryFolder,
  TRAINED_MODELS,
  type TrainedGolden,
} from './testing.ts';

describe.each(TRAINED_MODELS)('%s', (name) => {
  test.each(['gpu', 'cpu', 'reference'] as const)(
    'perplexity equals the golden file on %s',
    async (device) => {
      const folder = await repositoryFolder(`demo/public/models/${name}`);
      const golden = await readGolden<TrainedGolden>(folder);
      const engine = await openEngine({ device });
      await engine.load(folder);
      const got = await perplexity(engine, golden.perplexity);
      engine.dispose();
      expect(Math.abs(got / Math.exp(golden.perplexity.nll_per_token) - 1)).toBeLessThan(1e-3);
    },
  );
});
