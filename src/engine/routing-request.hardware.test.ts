/** Described routers that read tensors of a request, as a GPU would run them: experts that follow from them, streamed as resident. */
import { expect, test } from 'vitest';
import { describedModel, runSteps } from './described-model.testing.ts';
import type { LoadOptions } from './api.ts';
import { MemoryStore } from './hardware.testing.ts';
import { draftModel } from './load/planning.ts';
import { CASES, IDS, wanted } from './routing-request.testing.ts';
import { readTensors } from './talk/request-tensors.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

const folder = await describedModel();

test.each(Object.entries(CASES))('%s', async (_, each) => {
  const { description: routing, tensors } = each;
  const drafted = await draftModel(folder, { routing });
  drafted.checkpoint.dispose();
  const given = readTensors(tensors, drafted.decode.requested ?? [], IDS.length);
  const tuningStore = new MemoryStore(); // timed once: same kernels, same bits
  const run = async (options: LoadOptions, device?: 'reference') => {
    const engine = await openEngine(device ? { device } : { tuning: 'auto', tuningStore });
    if (!device) expect(engine.adapter.adapterClass).toBe('hardware');
    await engine.load(folder, options);
    const state = await engine.runner.openState();
    const result = await runSteps(engine.runner, state, IDS, { lengths: [18, 1, 1, 1], given });
    state.dispose();
    engine.dispose();
    return result;
  };
  const whole = await run({ routing });
  const ids = whole.routes.map((routes) => routes.ids);
  const reference = await run({ routing }, 'reference');
  expect(ids).toEqual(reference.routes.map((routes) => routes.ids));
  expect(largestError(whole.logits, reference.logits)).toBeLessThan(1e-4);
  if (each.ids) expect(ids).toEqual(wanted(each));
  const streamed = await run({ routing, streaming: { start: 'now', slotsPerLayer: 4, fill: false } });
  expect(firstDifference(streamed.logits, whole.logits)).toBe('equal');
  expect(streamed.routes).toEqual(whole.routes);
});
