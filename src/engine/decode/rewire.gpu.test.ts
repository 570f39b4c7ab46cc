/** Online re-routing: its loss is that of ordinary scoring, it never ends above it, and without a step it is plain. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GenerateOptions } from '../api.ts';
import type { LocalEngine } from '../engine.ts';
import { perplexity } from '../testing.ts';
import { DEVICES, engineWith, MOE, OMNI, PROMPT, tell } from './decode.testing.ts';
import type { RewireOptions } from './options.ts';
import { biased, lossOf } from './rewire.ts';
import type { DecodingStrategy } from './strategy.ts';

const GREEDY = { temperature: 0, maxTokens: 12 };
const TEXT = `${PROMPT} girl named Lily. She loved to play in the park with her friends.`; // more than one step of 16 tokens

describe.each(DEVICES)('on %s', (_, engineOptions) => {
  let engine: LocalEngine;

  beforeAll(async () => {
    engine = await engineWith(MOE, { contextTokens: 64 }, engineOptions);
  });

  afterAll(() => engine.dispose());

  test('the loss without biases is that of ordinary scoring', async () => {
    const losses: number[] = [];
    let ids: readonly number[] = [];
    const decoding: DecodingStrategy = {
      name: 'scores',
      needsLogits: true,
      async *decode(decoder) {
        ids = decoder.prompt;
        const state = await decoder.open();
        losses.push(await lossOf(decoder, state, ids));
        const zeros = decoder.routed.map((experts) => Array.from({ length: experts }, () => 0));
        await state.hook(biased(undefined, zeros));
        losses.push(await lossOf(decoder, state, ids));
        await state.hook(undefined);
        await state.rewind(0);
        let single = 0;
        for (const [at, id] of ids.slice(0, -1).entries()) {
          single -= (await state.step(id)).logprob(ids[at + 1] ?? 0);
        }
        losses.push(single);
        yield decoder.choose(decoder.first);
      },
    };
    await tell(engine, { ...GREEDY, decoding }, TEXT);
    const [loss = NaN, zeros, single = NaN] = losses;
    expect(ids.length).toBeGreaterThan(17);
    expect(zeros).toBe(loss);
    expect(Math.abs(single - loss)).toBeLessThan(1e-3 * loss); // steps of one token round otherwise
    const golden = { window: ids.length, windows: 1, ids, nll_per_token: 0 };
    const scored = Math.log(await perplexity(engine, golden)) * (ids.length - 1);
    expect(Math.abs(scored - loss)).toBeLessThan(1e-3 * loss);
  });

  test('steps of length 0 are plain', async () => {
    const plain = await tell(engine, GREEDY);
    const told = await tell(engine, { ...GREEDY, decoding: { kind: 'rewire', step: 0, tries: 1, every: 4 } });
    expect(told.ids).toEqual(plain.ids);
    expect(told.done.usage).toEqual(plain.done.usage);
    const { decoding: report } = told.done;
    expect(report).toMatchObject({ strategy: 'rewire', updates: 3, scored: 9, kept: 0 });
    expect(report?.['rewired']).toBe(report?.['nll']);
  });

  test('biases that lower the loss are kept, the same each time', async () => {
    const decoding: RewireOptions = { kind: 'rewire', tries: 6, every: 8 };
    const told = await tell(engine, { ...GREEDY, seed: 1, decoding }, TEXT);
    const { decoding: report } = told.done;
    expect(Number(report?.['kept'])).toBeGreaterThan(0);
    expect(Number(report?.['rewired'])).toBeLessThan(Number(report?.['nll']));
    const again = await tell(engine, { ...GREEDY, seed: 1, decoding }, TEXT);
    expect([again.ids, again.done.decoding]).toEqual([told.ids, report]);
  });
});

test.each<[path: string, options: Omit<RewireOptions, 'kind'>, rest: GenerateOptions, message: RegExp]>([
  [MOE, { every: 0 }, {}, /^decoding\.every is 0; wanted a whole number from 1 on/],
  [MOE, { step: -1 }, {}, /^decoding\.step is -1/],
  [
    MOE,
    {},
    { hooks: { replay: { trace: { tokens: [] } } } },
    /^hooks\.replay beside decoding\.kind "rewire"/,
  ],
  [OMNI, {}, {}, /^decoding\.kind is "rewire", and no router of the model takes hooks/],
])('%s %j %j is refused', async (path, options, rest, message) => {
  const engine = await engineWith(path, { contextTokens: 32 });
  const told = tell(engine, { ...rest, decoding: { kind: 'rewire', ...options } });
  await expect(told).rejects.toMatchObject({ code: 'bad-input', message: expect.stringMatching(message) });
  engine.dispose();
});
