/**
 * Hooks of requests as a GPU would run them: the software adapter, treated as hardware, with the kernels that
 * the tuner chooses. Heads without groups; fewer experts than the narrow gates hold, and more.
 */
import { expect, test } from 'vitest';
import type { FolderSource } from '../io/source.ts';
import type { LoadOptions, RoutingHooks } from './api.ts';
import type { EngineOptions } from './engine.ts';
import { generatedIds, generatedModel } from './generated-model.testing.ts';
import { MANY_EXPERTS, MemoryStore } from './hardware.testing.ts';
import { expectSame, run, type Given } from './hooks.testing.ts';
import { draftModel } from './load/planning.ts';
import { largestError, openEngine, repositoryFolder } from './testing.ts';

const MODELS: readonly (readonly [string, number, () => Promise<FolderSource>])[] = [
  ['olmoe', 8, () => repositoryFolder('fixtures/models/olmoe')],
  ['160 experts', MANY_EXPERTS.experts, () => generatedModel(MANY_EXPERTS)],
];

async function open(folder: FolderSource, engineOptions: EngineOptions, options: LoadOptions = {}) {
  const engine = await openEngine(engineOptions);
  await engine.load(folder, options);
  return engine;
}

test.each(MODELS)(
  '%s: hooks as the reference has them, resident and streamed',
  async (_, experts, folder) => {
    const tuned: EngineOptions = { tuning: 'auto', tuningStore: new MemoryStore() }; // timed once: same kernels, same bits
    const model = await draftModel(await folder(), {});
    const ids = generatedIds(12, 30, 5);
    const hooks: RoutingHooks = {
      all: {
        bias: Array.from({ length: experts }, (__, id) => (id % 7) / 10),
        steer: { experts: [1, 2], strength: 0.7 },
        mask: [5],
        ranks: [1, 0],
      },
    };
    const given = (runner: Given['runner']): Given => ({ runner, ids, model });
    const reference = await open(await folder(), { device: 'reference' });
    const want = await run(given(reference.runner), hooks);
    reference.dispose();
    const engine = await open(await folder(), tuned);
    expect(engine.adapter.adapterClass).toBe('hardware');
    const base = await run(given(engine.runner));
    const got = await run(given(engine.runner), hooks);
    expect(got.trace.map((token) => token.ids)).toEqual(want.trace.map((token) => token.ids));
    expect(largestError(got.logits, want.logits)).toBeLessThan(1e-4);
    expectSame(await run(given(engine.runner), { replay: { trace: { tokens: base.trace } } }), base);
    engine.dispose();
    const slotsPerLayer = experts / 2;
    const streamed = await open(await folder(), tuned, {
      streaming: { start: 'now', slotsPerLayer, fill: false },
    });
    expectSame(await run(given(streamed.runner), hooks), got);
    // Its routes are known: experts come before their layers.
    expectSame(await run(given(streamed.runner), { replay: { trace: { tokens: base.trace } } }), base);
    streamed.dispose();
  },
);
