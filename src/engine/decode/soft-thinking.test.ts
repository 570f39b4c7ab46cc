import { describe, expect, test } from 'vitest';
import type { SoftThinkingOptions } from './options.ts';
import { mixture, softThinking } from './soft-thinking.ts';
import type { Decoder, Prediction, StepInput } from './strategy.ts';

const EMBEDDINGS = [Float32Array.of(1, 0.1), Float32Array.of(0, -3), Float32Array.of(4, 0.3)];

const means = {
  hidden: 2,
  embeddings: async (ids: readonly number[]) =>
    Float32Array.from(ids.flatMap((id) => [...(EMBEDDINGS[id] ?? [])])),
};

describe('mixtures of embeddings', () => {
  test('are weighted by probability, renormalised', async () => {
    const chances = [
      { id: 2, logprob: Math.log(0.3) },
      { id: 0, logprob: Math.log(0.1) },
    ];
    expect([...(await mixture(means, chances))]).toEqual([3.25, Math.fround(0.25)]);
  });

  test.each([
    [[{ id: 2, logprob: Math.log(0.3) }]],
    [
      [
        { id: 2, logprob: 0 },
        { id: 1, logprob: -Infinity },
      ],
    ],
  ])('one-hot %j: the embedding of the token to the bit', async (chances) => {
    expect(await mixture(means, chances)).toEqual(EMBEDDINGS[2]);
  });
});

/** What a reply reads after each of its tokens: a token, or a mixture. The second of five tokens opens the thoughts, the fourth closes them. */
async function readings(options: Omit<SoftThinkingOptions, 'kind'>, likelihood: number): Promise<string[]> {
  const read: string[] = [];
  const prediction = {
    best: 0,
    logprob: () => Math.log(likelihood),
    likeliest: (count: number) => [{ id: 0, logprob: 0 }].slice(0, count),
  };
  let isThinking = false;
  const decoder = {
    ...means,
    first: prediction as unknown as Prediction,
    choose: () => ({ id: 0 }),
    report: () => {},
    get isThinking() {
      return isThinking;
    },
    state: {
      step: async (input: StepInput) => {
        read.push(typeof input === 'number' ? 'token' : 'soft');
        return prediction;
      },
    },
  };
  let count = 0;
  const strategy = softThinking({ kind: 'soft-thinking', ...options });
  for await (const _ of strategy.decode(decoder as unknown as Decoder)) {
    count += 1;
    if (count === 2 || count === 4) isThinking = !isThinking;
    if (count === 6) break;
  }
  return read;
}

describe('what is read', () => {
  test.each<[options: Omit<SoftThinkingOptions, 'kind'>, likelihood: number, read: string]>([
    [{}, 0.9, 'token token soft token token'],
    [{}, 0.4, 'token token token token token'],
    [{ when: 'unsure' }, 0.4, 'token token soft token token'],
    [{ when: 'unsure' }, 0.9, 'token token token token token'],
    [{ threshold: 0.3 }, 0.4, 'token token soft token token'],
    [{ within: 'reply' }, 0.9, 'soft soft soft soft soft'],
  ])('%j at a largest probability of %s: %s', async (options, likelihood, read) => {
    expect((await readings(options, likelihood)).join(' ')).toBe(read);
  });
});
