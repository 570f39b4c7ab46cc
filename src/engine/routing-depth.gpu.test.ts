/** Described routers that layers share: a state that is carried over layers, and one decision for all of them. */
import { describe, expect, test } from 'vitest';
import type { LoadOptions } from './api.ts';
import {
  describedModel,
  idsByToken,
  LAYER,
  layerRuns,
  OWN,
  RECURRENT,
  runSteps,
} from './described-model.testing.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

const folder = await describedModel();
const IDS = Array.from({ length: 21 }, (_, at) => (17 * at + 5) % 96);
const ONE_BY_ONE = IDS.map(() => 1);

const SHARED = { ...OWN, weigh: { normalise: 'sum' }, scope: { decision: 'model' } };

const TABLE = {
  score: { kind: 'zero' },
  select: { kind: 'ids', tensor: 'routing.idTable', by: 'tokenIds' },
  weigh: { from: 'one', normalise: 'sum' },
  scope: { decision: 'model' },
};

describe.each(['gpu', 'cpu', 'reference'] as const)('on %s', (device) => {
  const open = () => openEngine(device === 'gpu' ? {} : { device });

  async function run(options: LoadOptions, lengths: readonly number[]) {
    const engine = await open();
    await engine.load(folder, options);
    const state = await engine.runner.openState();
    const result = await runSteps(engine.runner, state, IDS, { lengths });
    state.dispose();
    engine.dispose();
    return result;
  }

  test.each([
    ['a state over layers', { ...LAYER, router: RECURRENT }],
    ['a decision of the model', { ...LAYER, router: SHARED }],
    ['a decision of a table', { ...LAYER, most: 2, router: TABLE }],
  ])('%s: routes of the reference, however a text is cut; streamed as resident', async (_, routing) => {
    const want = idsByToken(await layerRuns(folder, routing, IDS), IDS.length);
    const once = await run({ routing }, [IDS.length]);
    const cut = await run({ routing }, [9, 4, 1, 1, 6]);
    const single = await run({ routing }, ONE_BY_ONE);
    for (const { routes } of [once, cut, single]) expect(routes.map(({ ids }) => ids)).toEqual(want);
    const last = single.logits.slice(-96);
    expect(largestError(once.logits, last)).toBeLessThan(1e-4);
    expect(largestError(cut.logits.slice(-96), last)).toBeLessThan(1e-4);
    if (device === 'reference') return;
    for (const lookahead of [0, 1, 2] as const) {
      const streaming = { start: 'now', slotsPerLayer: 4, fill: false, lookahead } as const;
      const streamed = await run({ routing, streaming }, [9, 4, 1, 1, 6]);
      expect(firstDifference(streamed.logits, cut.logits)).toBe('equal');
      expect(streamed.routes).toEqual(cut.routes);
    }
  });
});

test('what an earlier layer decides is loaded, and not guessed', async () => {
  const routing = { ...LAYER, router: SHARED };
  const engine = await openEngine();
  const streaming = { start: 'now', slotsPerLayer: 4, fill: false, lookahead: 2, runAhead: 0 } as const;
  await engine.load(folder, { routing, streaming });
  const state = await engine.runner.openState();
  await runSteps(engine.runner, state, IDS, { lengths: ONE_BY_ONE });
  state.dispose();
  const report = await engine.streaming();
  expect(report).toMatchObject({ speculated: 0, recall: [NaN, NaN, NaN] });
  expect(report?.prefetched).toBeGreaterThan(0);
  engine.dispose();
});

test.each([
  [
    [RECURRENT, { ...RECURRENT, state: { ...RECURRENT.state, size: 8 } }],
    /router\.state\.size is 8 in layer 1, and 12 for "routerState" in layer 0/,
  ],
  [[SHARED, { ...SHARED, select: { kind: 'topK', k: 1 } }], /layer 1 has another router than layer 0/],
  [[{ ...OWN, scope: { decision: 'prompt' } }], /router\.scope\.unit is "token"/],
])('%j is refused', async (routers, message) => {
  const engine = await openEngine({ device: 'cpu' });
  const routing = routers.map((router) => ({ ...LAYER, router }));
  await expect(engine.load(folder, { routing })).rejects.toThrow(message);
  engine.dispose();
});
