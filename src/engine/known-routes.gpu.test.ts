/** Routes that are known ahead, by a replayed trace or a table by token id: experts come before their layer, and no others do. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ema, segmentLookahead } from '../experts/policy.ts';
import { RouteRecorder } from '../experts/study/route-recorder.ts';
import { replay, uniformPlaces } from '../experts/study/simulate.ts';
import type { FolderSource } from '../io/source.ts';
import type { RoutingHooks, StreamingReport } from './api.ts';
import { editedModel } from './edited-model.testing.ts';
import type { LocalEngine } from './engine.ts';
import { expectSame, run, type Given, type Run } from './hooks.testing.ts';
import { draftModel } from './load/planning.ts';
import { delays, modelInMemory, type Latency } from './streaming.testing.ts';
import {
  openEngine,
  readGolden,
  repositoryFolder,
  type FixtureGolden,
  type TrainedGolden,
} from './testing.ts';

const DEVICES = ['gpu', 'cpu'] as const;
const LAYERS = 6;
const UNITS = 32;
const TOP_K = 4;
const TOKENS = 40;

describe.each(DEVICES)('a replayed trace of fable-moe-12m on %s', (device) => {
  const latency = delays(5);
  let recorder = new RouteRecorder();
  let engine: LocalEngine;
  let folder: FolderSource;
  let given: Given;
  let base: Run;
  let hooks: RoutingHooks;

  beforeAll(async () => {
    folder = await modelInMemory('demo/public/models/fable-moe-12m');
    const { perplexity } = await readGolden<TrainedGolden>(folder);
    const observer = {
      prompt: (layer: number, uses: Uint32Array, tokens: number) => recorder.prompt(layer, uses, tokens),
      token: (layer: number, units: Uint32Array, count: number) => recorder.token(layer, units, count),
    };
    engine = await openEngine({
      streamTesting: { observer, delay: latency.delay, poison: 0x7f7f7bff },
      ...(device === 'cpu' ? { device } : {}),
    });
    await engine.load(folder);
    const model = await draftModel(folder, {});
    given = { runner: engine.runner, ids: perplexity.ids.slice(0, TOKENS), model };
    base = await run(given);
    hooks = { replay: { trace: { tokens: base.trace } } };
  });

  afterAll(() => engine.dispose());

  async function streamed(streaming: object, more?: RoutingHooks) {
    await engine.resize({
      streaming: { start: 'now', fill: false, slotsPerLayer: TOP_K, hostBudget: 0, ...streaming },
    });
    recorder = new RouteRecorder();
    const before = (await engine.streaming())!.readBytes; // counts since the model was loaded
    const found = await run(given, more);
    const report = (await engine.streaming()) as StreamingReport;
    return { found, report, readBytes: report.readBytes - before };
  }

  test.each<[Latency, object]>([
    ['zero', {}],
    ['jitter', { runAhead: 0 }],
    ['reordered', { lookahead: 2, runAhead: 3 }],
  ])(
    'with slots for one token a layer: no miss, nothing in vain, the bits of the resident model (%s)',
    async (how, streaming) => {
      latency.set(how);
      const { found, report, readBytes } = await streamed(streaming, hooks);
      latency.set('zero');
      expectSame(found, base);
      expect(report).toMatchObject({ slotsPerLayer: TOP_K, misses: 0, speculated: 0, wasted: 0 });
      expect(report.prefetched).toBeGreaterThan(0);
      expect(readBytes).toBe(report.uploadedBytes);
      // Every use of a token found its expert.
      expect(report.hits).toBe(base.trace.slice(-report.tokens).flatMap(({ ids }) => ids.flat()).length);
      if (how === 'zero') expect(report.aborts).toBe(0);
    },
  );

  test.each([
    ['ema', ema()],
    ['segment-lookahead', segmentLookahead()],
  ] as const)('%s: what is read is what a simulator that knows the trace reads', async (policy, make) => {
    const places = 2 * TOP_K;
    const { report } = await streamed({ policy, slotsPerLayer: places }, hooks);
    const head = { label: '', layers: LAYERS, units: UNITS, topK: TOP_K, unitBytes: Array(LAYERS).fill(1) };
    const trace = recorder.trace(head);
    const { hits, misses, evictions } = replay(trace, make, uniformPlaces(trace, places)).counters;
    expect(report).toMatchObject({ hits: hits + misses, misses: 0, prefetched: misses, evictions });
    expect(Math.min(hits, misses, evictions)).toBeGreaterThan(0);
  });

  test('looking ahead reads fewer experts than looking back; without known routes it is lru', async () => {
    const read = async (policy: string, more?: RoutingHooks) => {
      const { report } = await streamed({ policy, slotsPerLayer: 8, lookahead: 0 }, more);
      return report.prefetched + report.misses;
    };
    expect(await read('segment-lookahead', hooks)).toBeLessThan(await read('ema', hooks));
    expect(await read('segment-lookahead')).toBe(await read('lru'));
  });

  test('tokens outside of the trace miss, and choose for themselves', async () => {
    const trace = { from: 20, tokens: base.trace.slice(20, 30) };
    const { found, report } = await streamed({}, { replay: { trace } });
    expectSame(found, base);
    expect(Math.min(report.misses, report.prefetched)).toBeGreaterThan(0);
  });

  test('where absent experts may be dropped, none is absent, also beside weights of zero', async () => {
    await engine.load(folder, { lossy: { dropColdBelow: 0.5 } });
    given = { ...given, runner: engine.runner };
    const last = TOP_K - 1;
    const tokens = base.trace.map(({ ids, weights }) => ({
      ids,
      weights: weights.map((layer) => layer.map((weight, rank) => (rank === last ? 0 : weight))),
    }));
    const weighed: RoutingHooks = { replay: { trace: { tokens }, weights: 'recorded' } };
    const resident = await run(given, weighed);
    for (const runAhead of [0, 3]) {
      const { found, report } = await streamed({ runAhead }, weighed);
      expectSame(found, resident);
      expect(report).toMatchObject({ misses: 0, speculated: 0, wasted: 0 });
      expect(report.hits).toBe(base.trace.slice(-report.tokens).flatMap(({ ids }) => ids.flat()).length);
    }
  });
});

describe.each(DEVICES)('a table by token id in olmoe on %s', (device) => {
  const EXPERTS = 8;
  const router = {
    score: { kind: 'zero' },
    select: { kind: 'ids', tensor: 'routes.{layer}', by: 'tokenIds' },
    weigh: { from: 'one', normalise: 'sum' },
  };
  const routing = { format: 'atomoe.layer', version: 1, hiddenSize: 64, experts: EXPERTS, most: 2, router };

  /** The model with a table [vocabulary, 2] for each layer. */
  async function tabled(): Promise<FolderSource> {
    return editedModel(await repositoryFolder('fixtures/models/olmoe'), {
      tensors: (tensors) => {
        const vocab = tensors.get('model.embed_tokens.weight')!.shape[0]!;
        for (let layer = 0; layer < 3; layer += 1) {
          const ids = Float32Array.from({ length: 2 * vocab }, (_, at) => {
            const first = ((at >> 1) * 7 + layer * 3) % EXPERTS;
            return at % 2 === 0 ? first : (first + 1 + ((at >> 1) % 5)) % EXPERTS;
          });
          tensors.set(`routes.${layer}`, {
            dtype: 'F32',
            shape: [vocab, 2],
            bytes: new Uint8Array(ids.buffer),
          });
        }
      },
    });
  }

  test('reads exactly the experts of the table before their layers', async () => {
    const folder = await tabled();
    const engine = await openEngine(device === 'cpu' ? { device } : {});
    const { ids } = await readGolden<FixtureGolden>(await repositoryFolder('fixtures/models/olmoe'));
    await engine.load(folder, { routing });
    const model = await draftModel(folder, { routing });
    const given = { runner: engine.runner, ids: ids.slice(0, 24), model };
    const base = await run(given);
    await engine.load(folder, { routing, streaming: { start: 'now', slotsPerLayer: 2, fill: false } });
    expectSame(await run({ ...given, runner: engine.runner }), base);
    const report = (await engine.streaming()) as StreamingReport;
    expect(report).toMatchObject({ slotsPerLayer: 2, misses: 0, speculated: 0, aborts: 0 });
    expect(report.prefetched).toBeGreaterThan(0);
    engine.dispose();
  });
});
