/** States can be copied, read and written, and go on apart; steps of several tokens give the logits of each. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LoadOptions } from '../api.ts';
import type { EngineOptions, LocalEngine } from '../engine.ts';
import { draftModel } from '../load/planning.ts';
import { readHooks } from '../talk/hooks.ts';
import { firstDifference, fixtureTolerance, largestError, openEngine, repositoryFolder } from '../testing.ts';
import { DRAFT_TOKENS, type Runner, type RunnerState } from './runner.ts';

const PLAIN = { penalty: 1, temperature: 1, candidates: false, routes: false };
const PROMPT = [5, 17, 42, 99, 3];

const MODELS: [path: string, options: LoadOptions][] = [
  ['demo/public/models/fable-moe-12m', { contextTokens: 48 }],
  [
    'demo/public/models/fable-moe-12m',
    { contextTokens: 48, streaming: { start: 'now', fill: false, slotsPerLayer: 4 } },
  ],
  ['fixtures/models/lfm2_moe', { contextTokens: 48 }], // each step replaces states
];

const DEVICES: [device: string, options: EngineOptions][] = [
  ['gpu', {}],
  ['cpu', { device: 'cpu' }],
  ['reference', { device: 'reference' }],
];

async function logitsOf(runner: Runner, state: RunnerState, ids: readonly number[], past: number) {
  const step = await runner.step(state, { ...PLAIN, ids, past });
  return step.logits();
}

describe.each(DEVICES)('on %s', (_, engineOptions) => {
  describe.each(MODELS)('%s %j', (path, options) => {
    let engine: LocalEngine;

    beforeAll(async () => {
      engine = await openEngine(engineOptions);
      await engine.load(await repositoryFolder(path), options);
    });

    afterAll(() => engine.dispose());

    // After one step and after two: states that are replaced lie in the one buffer, then in the other.
    test.each([0, 1])(
      'a copy goes on as its original, and apart from it, after %i more steps',
      async (more) => {
        const { runner } = engine;
        const [original, copy] = [await runner.openState(), await runner.openState()];
        let past = PROMPT.length;
        await logitsOf(runner, original, PROMPT, 0);
        await logitsOf(runner, copy, [1, 2, 3], 0); // what it held is gone then
        for (; past < PROMPT.length + more; past += 1) await logitsOf(runner, original, [8], past);
        runner.copyState(original, copy);
        const other = await logitsOf(runner, copy, [61], past);
        const wanted = await logitsOf(runner, original, [60], past);
        runner.copyState(original, copy);
        expect(firstDifference(other, wanted)).not.toBe('equal');
        const next = await logitsOf(runner, original, [7], past + 1);
        expect(firstDifference(await logitsOf(runner, copy, [7], past + 1), next)).toBe('equal');
        original.dispose();
        expect(firstDifference(await logitsOf(runner, copy, [9], past + 2), next)).not.toBe('equal');
        copy.dispose();
      },
    );

    test.each([0, 1])('states that were read go on in another session, after %i more steps', async (more) => {
      const { runner } = engine;
      const [original, other] = [await runner.openState(), await runner.openState()];
      let past = PROMPT.length;
      await logitsOf(runner, original, PROMPT, 0);
      for (; past < PROMPT.length + more; past += 1) await logitsOf(runner, original, [8], past);
      const copies = await runner.stateCopies();
      const bytes = await copies.read(original, past);
      const wanted = await logitsOf(runner, original, [60], past);
      await logitsOf(runner, other, [1, 2, 3], 0);
      copies.write(other, past, bytes);
      expect(firstDifference(await logitsOf(runner, other, [60], past), wanted)).toBe('equal');
      original.dispose();
      other.dispose();
    });

    test.each([2, DRAFT_TOKENS, DRAFT_TOKENS + 1])(
      'a step of %i tokens behind others gives the logits of each',
      async (count) => {
        const { runner } = engine;
        const state = await runner.openState();
        await logitsOf(runner, state, PROMPT, 0);
        const ids = Array.from({ length: count }, (_, at) => (11 * at + 2) % 64);
        const single = await runner.openState();
        runner.copyState(state, single);
        const all = await runner.allLogits(state, { ...PLAIN, ids, past: PROMPT.length });
        const vocab = all.length / count;
        for (const [at, id] of ids.entries()) {
          const one = await logitsOf(runner, single, [id], PROMPT.length + at);
          const row = all.slice(at * vocab, (at + 1) * vocab);
          expect(largestError(row, one)).toBeLessThan(fixtureTolerance('lfm2_moe'));
        }
        state.dispose();
        single.dispose();
      },
    );
  });

  test('steps of several tokens have hooks', async () => {
    const engine = await openEngine(engineOptions);
    const folder = await repositoryFolder('demo/public/models/fable-moe-12m');
    await engine.load(folder, { contextTokens: 48 });
    const { runner } = engine;
    const hooks = readHooks({ all: { ranks: [1] } }, await draftModel(folder, {}));
    const ids = [60, 7, 9];
    const [state, single] = [await runner.openState(), await runner.openState()];
    const plain = await runner.allLogits(state, { ...PLAIN, ids, past: 0 });
    const all = await runner.allLogits(state, { ...PLAIN, ids, past: 0, hooks });
    expect(largestError(all, plain)).toBeGreaterThan(0.1);
    for (const [past, id] of ids.entries()) {
      const step = await runner.step(single, { ...PLAIN, ids: [id], past, hooks });
      const vocab = all.length / ids.length;
      const row = all.slice(past * vocab, (past + 1) * vocab);
      expect(largestError(row, await step.logits())).toBeLessThan(1e-4);
    }
    engine.dispose();
  });
});
