/** Routers that read earlier layers: routes of the layer alone, decided and loaded before their layer, with resident bits. */
import { describe, expect, test } from 'vitest';
import { ema } from '../experts/policy.ts';
import { RouteRecorder } from '../experts/study/route-recorder.ts';
import { replay, uniformPlaces } from '../experts/study/simulate.ts';
import type { LoadOptions, StreamingReport } from './api.ts';
import {
  describedModel,
  EXPERTS,
  HIDDEN,
  idsByToken,
  LAYER,
  layerAlone,
  layerRuns,
  LAYERS,
  OWN,
  runSteps,
  VOCAB,
} from './described-model.testing.ts';
import { draftModel } from './load/planning.ts';
import { BY_TABLE, PRE_GATED } from './routing-pregate.testing.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

const folder = await describedModel();
const IDS = Array.from({ length: 24 }, (_, at) => (17 * at + 5) % VOCAB);
const SINGLE = { lengths: IDS.map(() => 1) };
const TOP_K = 2;

/** The first layer by a table, the others by the layer before. */
const tableFirst = (layer: number) => ({
  ...LAYER,
  most: TOP_K,
  router: layer === 0 ? BY_TABLE : PRE_GATED[1],
});

test.each([1, 2] as const)('%d layers before: the routes of each layer alone', async (earlier) => {
  const router = PRE_GATED[earlier];
  const runs = await layerRuns(folder, { ...LAYER, router }, IDS);
  for (const [at, run] of runs.entries()) {
    const { x } = runs[Math.max(0, at - earlier)]!;
    const request = { [`earlierHidden.${earlier}`]: { shape: [IDS.length, HIDDEN], values: x } };
    const alone = await layerAlone(folder, { ...LAYER, router }, run, request);
    expect([...run.ids]).toEqual([...alone['ids.0']!]);
    expect(largestError(run.weights, alone['weights.0']!)).toBe(0);
  }
});

test('each layer is decided as soon as what its router reads is there', async () => {
  const decidedBy = async (routing: LoadOptions['routing']) => {
    const drafted = await draftModel(folder, { routing: routing! });
    drafted.checkpoint.dispose();
    return drafted.decode.routes.map(({ decided = [] }) => decided.map(({ bank }) => bank));
  };
  expect(await decidedBy({ ...LAYER, router: OWN })).toEqual([[], [], []]);
  expect(await decidedBy({ ...LAYER, router: PRE_GATED[1] })).toEqual([[1], [2], []]);
  expect(await decidedBy({ ...LAYER, router: PRE_GATED[2] })).toEqual([[1, 2], [], []]);
  expect(await decidedBy({ ...LAYER, router: { ...OWN, scope: { decision: 'model' } } })).toEqual([
    [1, 2],
    [],
    [],
  ]);
  const both = { parts: [{ from: 'hidden' }, { from: 'hidden', earlier: 1 }] };
  const wide = {
    ...OWN,
    input: both,
    score: { kind: 'sum', terms: [{ score: OWN.score, input: { parts: [{ from: 'hidden' }] } }] },
  };
  expect(await decidedBy({ ...LAYER, router: wide })).toEqual([[], [], []]);
  const ofOwn = {
    ...PRE_GATED[1],
    weigh: { from: { kind: 'linear', weight: OWN.score.weight, activation: 'sigmoid' } },
  };
  expect(await decidedBy({ ...LAYER, router: ofOwn })).toEqual([[], [], []]);
  const mixed = (layer: number) => (layer === 1 ? undefined : { ...LAYER, router: PRE_GATED[1] });
  expect(await decidedBy(mixed)).toEqual([[], [2], []]);
});

describe.each(['gpu', 'cpu', 'reference'] as const)('on %s', (device) => {
  async function run(options: LoadOptions, lengths: readonly number[]) {
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(folder, options);
    const state = await engine.runner.openState();
    const result = await runSteps(engine.runner, state, IDS, { lengths });
    state.dispose();
    engine.dispose();
    return result;
  }

  test.each(Object.entries({ ...PRE_GATED, model: { ...OWN, scope: { decision: 'model' } } }))(
    '%s: routes of the reference, however a text is cut; streamed as resident',
    async (_, router) => {
      const routing = { ...LAYER, router };
      const want = idsByToken(await layerRuns(folder, routing, IDS), IDS.length);
      const cut = await run({ routing }, [9, 4, 1, 1, 9]);
      const single = await run({ routing }, SINGLE.lengths);
      for (const { routes } of [cut, single]) expect(routes.map(({ ids }) => ids)).toEqual(want);
      expect(largestError(cut.logits.slice(-VOCAB), single.logits.slice(-VOCAB))).toBeLessThan(1e-4);
      if (device === 'reference') return;
      for (const streaming of [{ lookahead: 2 }, { lookahead: 0, runAhead: 0 }, { runAhead: 3 }] as const) {
        const few = { start: 'now', slotsPerLayer: TOP_K, fill: false, ...streaming } as const;
        const streamed = await run({ routing, streaming: few }, [9, 4, 1, 1, 9]);
        expect(firstDifference(streamed.logits, cut.logits)).toBe('equal');
        expect(streamed.routes).toEqual(cut.routes);
      }
    },
  );
});

describe.each(['gpu', 'cpu'] as const)('loaded ahead on %s', (device) => {
  async function streamed(routing: LoadOptions['routing'], streaming: object) {
    let recorder = new RouteRecorder();
    const observer = {
      prompt: (layer: number, uses: Uint32Array, tokens: number) => recorder.prompt(layer, uses, tokens),
      token: (layer: number, units: Uint32Array, count: number) => recorder.token(layer, units, count),
    };
    const engine = await openEngine({
      streamTesting: { observer, poison: 0x7f7f7bff },
      ...(device === 'cpu' ? { device } : {}),
    });
    await engine.load(folder, { routing: routing! });
    const state = await engine.runner.openState();
    const base = await runSteps(engine.runner, state, IDS, SINGLE);
    state.dispose();
    const own = { start: 'now', fill: false, slotsPerLayer: TOP_K, hostBudget: 0, ...streaming } as const;
    await engine.load(folder, { routing: routing!, streaming: own });
    recorder = new RouteRecorder();
    const again = await engine.runner.openState();
    const found = await runSteps(engine.runner, again, IDS, SINGLE);
    again.dispose();
    const report = (await engine.streaming()) as StreamingReport;
    engine.dispose();
    expect(firstDifference(found.logits, base.logits)).toBe('equal');
    expect(found.routes).toEqual(base.routes);
    return { report, recorder, routes: base.routes };
  }

  test('with slots for one token a layer, and a table for the first: no demand miss, nothing in vain', async () => {
    const { report, routes } = await streamed(tableFirst, {});
    expect(report).toMatchObject({ slotsPerLayer: TOP_K, misses: 0, speculated: 0, wasted: 0 });
    expect(report.prefetched).toBeGreaterThan(0);
    expect(report.hits).toBe(routes.flatMap(({ ids }) => ids.flat()).length);
  });

  test('only the first layer misses where it decides for itself', async () => {
    const places = 2 * TOP_K;
    const { report, recorder } = await streamed(
      { ...LAYER, router: PRE_GATED[1] },
      { slotsPerLayer: places },
    );
    const head = { label: '', layers: LAYERS, units: EXPERTS, topK: TOP_K, unitBytes: Array(LAYERS).fill(1) };
    const trace = recorder.trace(head);
    const [first, ...later] = replay(trace, ema(), uniformPlaces(trace, places)).layers.map(
      ({ misses }) => misses,
    );
    const prefetched = later.reduce((sum, misses) => sum + misses, 0);
    expect(report).toMatchObject({ misses: first, prefetched, speculated: 0 });
    expect(Math.min(first!, prefetched)).toBeGreaterThan(0);
  });
});
