/** Described routers that read earlier layers or tokens, as a GPU would run them: routes of the reference, streamed as resident. */
import { expect, test } from 'vitest';
import {
  describedModel,
  idsByToken,
  LAYER,
  layerRuns,
  OF_EARLIER,
  OF_PROMPT,
  RECURRENT,
  runSteps,
  VOCAB,
} from './described-model.testing.ts';
import type { LoadOptions } from './api.ts';
import { MemoryStore } from './hardware.testing.ts';
import { firstDifference, openEngine } from './testing.ts';

const folder = await describedModel();
const IDS = Array.from({ length: 21 }, (_, at) => (17 * at + 5) % VOCAB);

test.each(Object.entries({ 'a state over layers': RECURRENT, ...OF_EARLIER, ...OF_PROMPT }))(
  '%s',
  async (_, router) => {
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
  },
);
