/** Product keys as the router of a model: the heads' routes of the layer alone, an expert of several heads once. */
import { expect, test } from 'vitest';
import type { DeviceKind, LoadOptions } from './api.ts';
import { layerAlone, LAYERS, layerRuns, runSteps } from './described-model.testing.ts';
import { IDS, KEYS, keysModel, SQUARE } from './routing-keys.testing.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

const folder = await keysModel();

/** By token and layer: each expert that the heads chose, in the order of its first choice, with the sum of its weights. */
async function expected(): Promise<Map<number, number>[][]> {
  const runs = await layerRuns(folder, KEYS, IDS);
  expect(runs).toHaveLength(LAYERS);
  const byLayer = await Promise.all(
    runs.map(async (run) => {
      const { 'ids.0': ids = [], 'weights.0': weights = [] } = await layerAlone(folder, KEYS, run);
      return IDS.map((_, token) => {
        const sums = new Map<number, number>();
        for (let at = 6 * token; at < 6 * (token + 1); at += 1)
          sums.set(ids[at]!, (sums.get(ids[at]!) ?? 0) + weights[at]!);
        return sums;
      });
    }),
  );
  return IDS.map((_, token) => byLayer.map((layer) => layer[token]!));
}

async function run(device: DeviceKind | undefined, options: LoadOptions = {}, lengths = [21]) {
  const engine = await openEngine(device ? { device } : {});
  await engine.load(folder, { routing: KEYS, ...options });
  const state = await engine.runner.openState();
  const result = await runSteps(engine.runner, state, IDS, { lengths });
  state.dispose();
  engine.dispose();
  return result;
}

test('heads that choose one expert add their weights, on every device, in one step and in many', async () => {
  const want = await expected();
  const counts = want.flat().map(({ size }) => size);
  expect(Math.min(...counts)).toBeLessThan(6); // heads agree now and then
  expect(Math.max(...counts)).toBeGreaterThan(3);
  expect(new Set(want.flat().flatMap((each) => [...each.keys()])).size).toBe(SQUARE);
  const reference = await run('reference');
  for (const device of ['reference', 'cpu', undefined] as const) {
    for (const lengths of [[21], [18, 1, 1, 1]]) {
      const { routes, logits } = await run(device, {}, lengths);
      expect(routes.map(({ ids }) => ids)).toEqual(
        want.map((layers) => layers.map((each) => [...each.keys()])),
      );
      const weights = Float32Array.from(routes.flatMap((token) => token.weights.flat()));
      const wanted = want.flatMap((layers) => layers.flatMap((each) => [...each.values()]));
      expect(largestError(weights, Float32Array.from(wanted))).toBeLessThan(1e-5);
      expect(largestError(logits.slice(-96), reference.logits.slice(-96))).toBeLessThan(1e-4);
    }
  }
});

test.each(['cpu', undefined] as const)('streamed as resident (%s)', async (device) => {
  const whole = await run(device, {}, [18, 1, 1, 1]);
  const streaming = { start: 'now', slotsPerLayer: 6, fill: false } as const;
  const streamed = await run(device, { streaming }, [18, 1, 1, 1]);
  expect(firstDifference(streamed.logits, whole.logits)).toBe('equal');
  expect(streamed.routes).toEqual(whole.routes);
});

test('masks and steering hold for every head; ranks are refused', async () => {
  const engine = await openEngine({ device: 'cpu' });
  await engine.load(folder, {
    routing: { ...KEYS, hooks: { mask: [4], steer: { experts: [7], mode: 'hard' } } },
  });
  const state = await engine.runner.openState();
  const { routes } = await runSteps(engine.runner, state, IDS, { lengths: [21] });
  for (const ids of routes.flatMap((token) => token.ids)) {
    expect(ids).toContain(7);
    expect(ids).not.toContain(4);
  }
  const ranks = { ...KEYS, hooks: { ranks: [0, 1] } };
  await expect(engine.load(folder, { routing: ranks })).rejects.toThrow(
    /^hooks\.ranks is \[0,1\]; wanted none/,
  );
  engine.dispose();
});
