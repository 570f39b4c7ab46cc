/** What streaming counts and takes: equal to the simulator, within the budget, foreseen as far as lookahead sees. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ema, lfru, type MakePolicy } from '../experts/policy.ts';
import { RouteRecorder } from '../experts/study/route-recorder.ts';
import { replay, uniformPlaces } from '../experts/study/simulate.ts';
import { parseTrace } from '../experts/study/trace-file.ts';
import { traceToJson } from '../experts/study/trace-json.ts';
import type { FolderSource } from '../io/source.ts';
import type { PolicyName } from './api.ts';
import type { LocalEngine } from './engine.ts';
import { forced, modelInMemory } from './streaming.testing.ts';
import { openEngine, readGolden, TRAINED_MODELS, type TrainedGolden } from './testing.ts';

const SHAPES = {
  'fable-omni-8m': { layers: 4, units: 64, topK: 32, places: 40 },
  'fable-moe-12m': { layers: 6, units: 32, topK: 4, places: 8 },
} as const;

const PROMPT = 32;
const TOKENS = 48;

/** Evicts what was loaded first: defined here, from outside. */
const firstIn: MakePolicy = ({ units }) => {
  const loads = new Float64Array(units);
  let clock = 0;
  return {
    begin: () => {},
    use: (unit) => {
      clock += 1;
      if (loads[unit] === 0) loads[unit] = clock;
    },
    observe: () => {},
    score: (unit) => loads[unit] ?? 0,
  };
};

describe.each(TRAINED_MODELS)('%s', (name) => {
  const { layers, units, topK, places } = SHAPES[name];
  let recorder = new RouteRecorder();
  let folder: FolderSource;
  let ids: readonly number[];
  let engine: LocalEngine;

  beforeAll(async () => {
    folder = await modelInMemory(`demo/public/models/${name}`);
    ids = (await readGolden<TrainedGolden>(folder)).perplexity.ids.slice(0, PROMPT + TOKENS);
    engine = await openEngine({
      streamTesting: {
        observer: {
          prompt: (layer, uses, tokens) => recorder.prompt(layer, uses, tokens),
          token: (layer, used, count) => recorder.token(layer, used, count),
        },
        link: () => ({ utilisation: 0, bytesPerMs: Infinity }),
      },
    });
    await engine.load(folder, { streaming: { slotsPerLayer: places, fill: false } });
  });

  afterAll(() => engine.dispose());

  test.each([
    ['ema', 'ema', ema(), 0],
    ['lfru', 'lfru', lfru(), 2],
    ['a policy of the caller', firstIn, firstIn, 1],
  ] as const satisfies readonly (readonly [string, PolicyName | MakePolicy, MakePolicy, number])[])(
    'hits, misses and evictions of %s equal the simulator exactly',
    async (_what, policy, makePolicy, lookahead) => {
      await engine.resize({ streaming: { policy, lookahead, runAhead: 2 } });
      recorder = new RouteRecorder();
      await forced(engine.runner, ids, PROMPT);
      const { hits, misses, evictions } = engine.runner.experts!.streamer.counters;
      const unitBytes = Array<number>(layers).fill(1);
      const trace = recorder.trace({ label: name, layers, units, topK, unitBytes });
      const read = parseTrace(traceToJson(trace), 'routes.json');
      expect(read.steps).toBe(TOKENS);
      expect(replay(read, makePolicy, uniformPlaces(read, places)).counters).toEqual({
        hits,
        misses,
        evictions,
      });
      expect(Math.min(hits, misses, evictions)).toBeGreaterThan(0);
    },
  );

  test('lookahead foresees more than chance, layer by layer', { tags: ['full'] }, async () => {
    await engine.resize({ streaming: { policy: 'ema', lookahead: 1, runAhead: 0 } });
    await forced(engine.runner, ids, PROMPT);
    const recall = (await engine.streaming())!.recall;
    console.log(`lookahead recall of ${name}: ${recall.map((share) => share.toFixed(3)).join(' ')}`);
    expect(recall).toHaveLength(layers);
    expect(recall[0]).toBeNaN(); // nothing comes before the first layer
    const later = recall.slice(1);
    const mean = later.reduce((sum, share) => sum + share, 0) / later.length;
    expect(mean).toBeGreaterThan(name === 'fable-moe-12m' ? 0.55 : 0.4);
  });

  test(
    'GPU bytes stay within the budget, and the smallest budget is the one that is named',
    { tags: ['full'] },
    async () => {
      const probe = await openEngine();
      const { least, gpuTotal } = (await probe.plan(folder)).bytes;
      expect(least).toBeLessThan(gpuTotal);
      const refusal = await probe.load(folder, { memoryBudget: least - 1 }).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: 'limit-too-small' });
      expect(String(refusal)).toContain(`raise memoryBudget to ${least}`);
      for (const memoryBudget of [least, Math.floor((least + gpuTotal) / 2), gpuTotal]) {
        const { plan } = await probe.load(folder, { memoryBudget });
        expect(plan.bytes.gpuTotal).toBeLessThanOrEqual(memoryBudget);
        expect(plan.streams).toBe(memoryBudget < gpuTotal);
        const session = probe.session();
        let tokens = 0;
        for await (const event of session.generate('Once upon a time', { maxTokens: 4, logprobs: 2 }))
          tokens += Number(event.kind === 'token');
        expect(tokens).toBe(4);
        const { totalBytes } = probe.memory();
        expect(totalBytes).toBeLessThanOrEqual(plan.bytes.gpuTotal);
        expect(probe.runner.tools!.peakBytes).toBeLessThanOrEqual(memoryBudget);
        session.dispose();
      }
      probe.dispose();
    },
  );
});
