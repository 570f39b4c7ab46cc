/** Mixtures of embeddings in place of tokens: exact where there is nothing to mix. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LocalEngine } from '../engine.ts';
import { DEVICES, engineWith, MOE, tell, tellIn } from './decode.testing.ts';
import type { SoftThinkingOptions } from './options.ts';

const GREEDY = { temperature: 0, maxTokens: 12, logprobs: 2 };

describe.each(DEVICES)('on %s', (_, engineOptions) => {
  let engine: LocalEngine;

  beforeAll(async () => {
    engine = await engineWith(MOE, { contextTokens: 64 }, engineOptions);
  });

  afterAll(() => engine.dispose());

  test.each<[what: string, options: Omit<SoftThinkingOptions, 'kind'>, soft: number]>([
    ['one-hot mixtures', { within: 'reply', threshold: 0, tokens: 1 }, 11],
    ['a threshold that is not reached', { within: 'reply', threshold: 1 }, 0],
    ['a model that does not think', { threshold: 0 }, 0],
  ])('%s are the tokens to the bit', async (_name, options, soft) => {
    const plain = await tell(engine, GREEDY);
    const told = await tell(engine, { ...GREEDY, decoding: { kind: 'soft-thinking', ...options } });
    expect(told.tokens).toEqual(plain.tokens);
    expect(told.done.decoding).toEqual({ strategy: 'soft-thinking', soft });
  });

  test('mixtures change what is said, and the next reply does not reuse them', async () => {
    const session = engine.session();
    const plain = await tellIn(session, GREEDY);
    const decoding: SoftThinkingOptions = { kind: 'soft-thinking', within: 'reply', threshold: 0 };
    const told = await tellIn(session, { ...GREEDY, decoding });
    const last = (tokens: typeof plain.tokens) => tokens[1]?.logprob;
    expect(last(told.tokens)).not.toBe(last(plain.tokens));
    expect(session.tokens).toBe(plain.done.usage.promptTokens);
    expect((await tellIn(session, GREEDY)).ids).toEqual(plain.ids);
    session.dispose();
  });
});

test.each([
  [{ threshold: 2 }, /^decoding\.threshold is 2; wanted a number from 0 to 1/],
  [{ tokens: 65 }, /^decoding\.tokens is 65; wanted a whole number from 1 to 64/],
  [{ within: 'answer' }, /^decoding\.within is "answer"; wanted "thoughts" or "reply"/],
])('%j is refused', async (options, message) => {
  const engine = await engineWith(MOE, { contextTokens: 32 });
  const decoding = { kind: 'soft-thinking', ...options } as SoftThinkingOptions;
  const told = tell(engine, { decoding });
  await expect(told).rejects.toMatchObject({ code: 'bad-input', message: expect.stringMatching(message) });
  engine.dispose();
});
