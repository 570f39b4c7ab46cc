/** States of models whose steps replace them: they are rewound all the same. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LocalEngine } from '../engine.ts';
import { draftModel, type Drafted } from '../load/planning.ts';
import { checkOptions } from '../options.ts';
import { JobQueue } from '../run/queue.ts';
import { ReplyText } from '../talk/reply-text.ts';
import { firstDifference, largestError, fixtureTolerance, openEngine, repositoryFolder } from '../testing.ts';
import { DEVICES } from './decode.testing.ts';
import { ModelDecoder } from './decoder.ts';
import { predictionOf } from './prediction.ts';

const PATH = 'fixtures/models/lfm2_moe';
const PROMPT = [5, 17, 42, 99, 3];

describe.each(DEVICES)('on %s', (_, engineOptions) => {
  let engine: LocalEngine;
  let model: Drafted;

  beforeAll(async () => {
    const folder = await repositoryFolder(PATH);
    engine = await openEngine(engineOptions);
    await engine.load(folder, { contextTokens: 64 });
    model = await draftModel(folder, {});
  });

  afterAll(() => engine.dispose());

  /** A decoder behind the prompt, as a session of a model with a tokenizer has one. */
  async function openDecoder(): Promise<ModelDecoder> {
    const { runner } = engine;
    const options = checkOptions({ temperature: 0, repetitionPenalty: 1.3 }, () => 0);
    const request = { penalty: 1.3, temperature: 1, candidates: true, routes: false };
    const state = await runner.openState();
    const needs = { options, needsLogits: true };
    const step = await runner.step(state, { ...request, ids: PROMPT, past: 0 });
    return new ModelDecoder({
      runner,
      queue: new JobQueue(),
      model,
      eosIds: new Set(),
      request,
      prompt: PROMPT,
      state,
      first: await predictionOf(step, PROMPT.length, needs),
      ...needs,
      newText: () => new ReplyText({} as ConstructorParameters<typeof ReplyText>[0], []),
      isThinking: () => false,
      assertUsable: () => {},
    });
  }

  async function logitsOf(decoder: ModelDecoder, ids: readonly number[]): Promise<Float32Array> {
    const { logits } = await decoder.state.step(ids);
    return logits ?? new Float32Array(0);
  }

  test('a draft that is taken back in part leaves what single steps leave', async () => {
    const [drafted, single] = [await openDecoder(), await openDecoder()];
    for (const taken of [0, 2, 3]) {
      const before = drafted.state.tokens;
      await drafted.state.stepAll([60, 61, 7]);
      await drafted.state.rewind(before + taken);
      for (const id of [60, 61, 7].slice(0, taken)) await single.state.step(id);
      const [a, b] = [await logitsOf(drafted, [9]), await logitsOf(single, [9])];
      expect(largestError(a, b)).toBeLessThan(fixtureTolerance('lfm2_moe')); // a step of several tokens, and single ones
    }
    await Promise.all([drafted.end(), single.end()]);
  });

  test('what was kept for a draft is not used for another text', async () => {
    const [first, second] = [await openDecoder(), await openDecoder()];
    await first.state.step([60, 61]);
    await first.state.stepAll([7, 8]); // keeps the state behind 60 and 61
    await first.state.rewind(PROMPT.length + 1);
    await first.state.step([30, 31, 32]);
    await first.state.rewind(PROMPT.length + 3);
    await second.state.step([60]);
    await second.state.step([30, 31]);
    expect(largestError(await logitsOf(first, [9]), await logitsOf(second, [9]))).toBeLessThan(1e-3);
    await Promise.all([first.end(), second.end()]);
  });

  test('embeddings are read again as they were', async () => {
    const decoder = await openDecoder();
    const embedding = await decoder.embeddings([30]);
    const read = async () => {
      await decoder.state.step({ id: 60, embedding });
      return logitsOf(decoder, [61]);
    };
    const wanted = await read();
    await decoder.state.step([7]);
    await decoder.state.rewind(PROMPT.length + 2);
    await decoder.state.rewind(PROMPT.length + 1);
    const again = await logitsOf(decoder, [61]);
    expect(largestError(again, wanted)).toBeLessThan(1e-3); // the prompt is read in another step
    expect(decoder.state.plainIds).toEqual(PROMPT);
    await decoder.state.rewind(PROMPT.length);
    expect(
      firstDifference(
        await read(),
        await (async () => {
          await decoder.state.rewind(PROMPT.length);
          return read();
        })(),
      ),
    ).toBe('equal');
    await decoder.end();
  });
});
