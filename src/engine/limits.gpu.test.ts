/** @module-tag full */
import { expect, test, vi } from 'vitest';
import { openEngine, readGolden, repositoryFolder, type FixtureGolden } from './testing.ts';

/** The limits that devices are asked for while `run` runs. */
async function requestedLimits(run: () => Promise<void>): Promise<Record<string, unknown>[]> {
  const request = vi.spyOn(GPUAdapter.prototype, 'requestDevice');
  await run();
  const limits = request.mock.calls.map(([descriptor]) => ({ ...descriptor?.requiredLimits }));
  request.mockRestore();
  return limits;
}

test('an engine of its own asks for no limit beyond the defaults when the model needs none', async () => {
  const folder = await repositoryFolder('fixtures/models/mixtral');
  const { ids } = await readGolden<FixtureGolden>(folder);
  const limits = await requestedLimits(async () => {
    const engine = await openEngine({ device: 'gpu' });
    await engine.load(folder);
    await engine.logits(ids, 'at-once');
    engine.dispose();
  });
  expect(limits).toEqual([{}]);
});
