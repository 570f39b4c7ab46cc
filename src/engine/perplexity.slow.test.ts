/** The CPU executor over the golden files' whole texts: minutes for each model. */
import { expect, test } from 'vitest';
import {
  openEngine,
  perplexity,
  readGolden,
  repositoryFolder,
  TRAINED_MODELS,
  type TrainedGolden,
} from './testing.ts';

test.each(TRAINED_MODELS)('%s: perplexity on the CPU equals the golden file', async (name) => {
  const folder = await repositoryFolder(`demo/public/models/${name}`);
  const golden = await readGolden<TrainedGolden>(folder);
  const engine = await openEngine({ device: 'cpu' });
  await engine.load(folder);
  const got = await perplexity(engine, golden.perplexity);
  engine.dispose();
  expect(Math.abs(got / Math.exp(golden.perplexity.nll_per_token) - 1)).toBeLessThan(1e-3);
});
