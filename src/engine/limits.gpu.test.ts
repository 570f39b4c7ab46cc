import { expect, test, vi } from 'vitest';
import { openEngine, readGolden, repositoryFolder, type FixtureGolden } from './testing.ts';

test('the default-limits lane asks its device for no limit beyond the defaults', async () => {
  const request = vi.spyOn(GPUAdapter.prototype, 'requestDevice');
  const folder = await repositoryFolder('fixtures/models/mixtral');
  const { ids } = await readGolden<FixtureGolden>(folder);
  const engine = await openEngine();
  await engine.load(folder);
  await engine.logits(ids, 'at-once');
  engine.dispose();
  expect(request).toHaveBeenCalled();
  const limits = request.mock.calls.map(([descriptor]) => descriptor?.requiredLimits ?? {});
  request.mockRestore();
  expect(import.meta.env.VITE_ATOMOE_LIMITS).toBe(
    import.meta.env.VITE_ATOMOE_LANE === 'gpu-default-limits' ? 'default' : 'plan',
  );
  if (import.meta.env.VITE_ATOMOE_LIMITS === 'default') expect(limits).toEqual(limits.map(() => ({})));
});
