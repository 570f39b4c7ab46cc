/** A given embedding takes the place of a token's: that of one token gives the bits of the token itself. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LoadOptions } from '../api.ts';
import type { EngineOptions, LocalEngine } from '../engine.ts';
import { firstDifference, largestError, openEngine, repositoryFolder } from '../testing.ts';
import type { Runner } from './runner.ts';

const PLAIN = { penalty: 1, temperature: 1, candidates: false, routes: false };
const PROMPT = [5, 17, 42, 99, 3];

const MODELS: [path: string, options: LoadOptions][] = [
  ['demo/public/models/fable-moe-12m', { contextTokens: 32 }],
  ['demo/public/models/fable-moe-12m', { contextTokens: 32, quantize: 'q4_0' }],
  [
    'demo/public/models/fable-omni-8m',
    { contextTokens: 32, streaming: { start: 'now', fill: false, slotsPerLayer: 32 } },
  ],
  ['fixtures/models/gemma4_text', { contextTokens: 32 }], // embeddings are multiplied
  ['fixtures/models/lfm2_moe', { contextTokens: 32 }], // states are replaced by each step
];

const DEVICES: [device: string, options: EngineOptions][] = [
  ['gpu', {}],
  ['cpu', { device: 'cpu' }],
  ['reference', { device: 'reference' }],
];

/** The logits behind the prompt and one more token, which may have another embedding than its own. */
async function logitsBehind(runner: Runner, id: number, embedding?: Float32Array<ArrayBuffer>) {
  const state = await runner.openState();
  try {
    await runner.step(state, { ...PLAIN, ids: PROMPT, past: 0 });
    const step = await runner.step(state, { ...PLAIN, ids: [id], past: PROMPT.length, embedding });
    return await step.logits();
  } finally {
    state.dispose();
  }
}

describe.each(DEVICES)('on %s', (_, engineOptions) => {
  describe.each(MODELS)('%s %j', (path, options) => {
    let engine: LocalEngine;

    beforeAll(async () => {
      engine = await openEngine(engineOptions);
      await engine.load(await repositoryFolder(path), options);
    });

    afterAll(() => engine.dispose());

    test('the embedding of a token gives its bits, whatever the id beside it', async () => {
      const { runner } = engine;
      const embedding = await runner.embeddings([60]);
      const wanted = await logitsBehind(runner, 60);
      expect(firstDifference(await logitsBehind(runner, 61), wanted)).not.toBe('equal');
      expect(firstDifference(await logitsBehind(runner, 61, embedding), wanted)).toBe('equal');
      expect(firstDifference(await logitsBehind(runner, 60), wanted)).toBe('equal'); // nothing of it stays
    });

    test('any number of tokens are looked up', async () => {
      const { runner } = engine;
      const ids = Array.from({ length: 130 }, (_, at) => (7 * at + 3) % 64);
      const all = await runner.embeddings(ids);
      const hidden = all.length / ids.length;
      for (const at of [0, 63, 64, 129]) {
        const one = await runner.embeddings([ids[at] ?? 0]);
        expect(firstDifference(one, all.slice(at * hidden, (at + 1) * hidden))).toBe('equal');
      }
    });
  });
});

test('a mixture of embeddings gives what the reference gives', async () => {
  const [path, options] = ['demo/public/models/fable-moe-12m', { contextTokens: 32 }];
  const logits: Float32Array[] = [];
  for (const [, engineOptions] of DEVICES) {
    const engine = await openEngine(engineOptions);
    await engine.load(await repositoryFolder(path), options);
    const [a, b] = [await engine.runner.embeddings([60]), await engine.runner.embeddings([61])];
    const mixed = a.map((value, at) => 0.75 * value + 0.25 * (b[at] ?? 0));
    logits.push(await logitsBehind(engine.runner, 60, mixed));
    engine.dispose();
  }
  const [gpu = [], cpu = [], reference = []] = logits;
  expect(largestError(gpu, reference)).toBeLessThan(1e-4); // as models are compared
  expect(largestError(cpu, reference)).toBeLessThan(1e-4);
});
