/** Described routers that read earlier layers or tokens, as a GPU would run them: routes of the reference, streamed as resident. */
import { expect, test } from 'vitest';
import {
  describedModel,
  EXPERTS,
  idsByToken,
  LAYER,
  layerRuns,
  LAYERS,
  OF_EARLIER,
  OF_PROMPT,
  RANDOM,
  RECURRENT,
  runSteps,
  VOCAB,
} from './described-model.testing.ts';
import type { DeviceKind, LoadOptions } from './api.ts';
import { MemoryStore } from './hardware.testing.ts';
import { PRE_GATED } from './routing-pregate.testing.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

const folder = await describedModel();
const IDS = Array.from({ length: 21 }, (_, at) => (17 * at + 5) % VOCAB);

test.each(
  Object.entries({
    'a state over layers': RECURRENT,
    ...OF_EARLIER,
    ...OF_PROMPT,
    'the hidden state of the layer before': PRE_GATED[1],
  }),
)('%s', async (_, router) => {
  const routing = { ...LAYER, router };
  const engine = await openEngine({ tuning: 'auto', tuningStore: new MemoryStore() });
  expect(engine.adapter.adapterClass).toBe('hardware');
  const run = async (options: LoadOptions) => {
    await engine.load(folder, options);
    const state = await engine.runner.openState();
    const result = await runSteps(engine.runner, state, IDS, { lengths: [18, 1, 1, 1] });
    state.dispose();
    return result;
  };
  const whole = await run({ routing });
  const want = idsByToken(await layerRuns(folder, routing, IDS.slice(0, 18)), 18);
  expect(whole.routes.slice(0, 18).map(({ ids }) => ids)).toEqual(want);
  const streamed = await run({ routing, streaming: { start: 'now', slotsPerLayer: 4, fill: false } });
  expect(firstDifference(streamed.logits, whole.logits)).toBe('equal');
  expect(streamed.routes).toEqual(whole.routes);
  engine.dispose();
});

/** The two experts with the largest numbers of a seed, by its definition (docs/ROUTING.md). */
function byDefinition(seed: number, layer: number, position: number): number[] {
  const numbers = Array.from({ length: EXPERTS }, (_, expert) => {
    let hash =
      seed ^ Math.imul(layer, 0x9e3779b9) ^ Math.imul(position, 0x85ebca6b) ^ Math.imul(expert, 0xc2b2ae35);
    hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
    hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
    return (hash ^ (hash >>> 16)) >>> 8;
  });
  return [...numbers.keys()].toSorted((a, b) => numbers[b]! - numbers[a]! || a - b).slice(0, 2);
}

test('a seed chooses the same experts on every backend, tuned, resident and streamed', async () => {
  const layers = Array.from({ length: LAYERS }, (_, layer) => layer);
  const routing = layers.map((layer) => ({
    ...LAYER,
    router: { ...RANDOM, score: { ...RANDOM.score, layer } },
  }));
  const tuningStore = new MemoryStore(); // timed once: same kernels, same bits
  const run = async (device: DeviceKind | undefined, options: LoadOptions = {}) => {
    const engine = await openEngine(device ? { device } : { tuning: 'auto', tuningStore });
    expect(engine.adapter.adapterClass).toBe(device ? 'software' : 'hardware');
    await engine.load(folder, { routing, ...options });
    const state = await engine.runner.openState();
    const result = await runSteps(engine.runner, state, IDS, { lengths: [18, 1, 1, 1] });
    state.dispose();
    engine.dispose();
    return result;
  };
  const streaming = { streaming: { start: 'now', slotsPerLayer: 4, fill: false } } as const;
  const whole = await run(undefined);
  const want = IDS.map((_, position) =>
    layers.map((layer) => byDefinition(RANDOM.score.seed, layer, position)),
  );
  expect(whole.routes.map(({ ids }) => ids)).toEqual(want);
  const streamed = await run(undefined, streaming);
  expect(firstDifference(streamed.logits, whole.logits)).toBe('equal');
  expect(streamed.routes).toEqual(whole.routes);
  for (const [device, options] of [
    ['cpu', {}],
    ['cpu', streaming],
    ['reference', {}],
  ] as const) {
    const other = await run(device, options);
    expect(other.routes.map(({ ids }) => ids)).toEqual(want);
    expect(largestError(other.logits, whole.logits)).toBeLessThan(1e-4);
  }
});
