/** When a mask counts: behind thoughts, and from the first token on. With a decoder that follows a script. */
import { expect, test } from 'vitest';
import type { TokenMask } from '../../text/grammar/token-masks.ts';
import { constrained } from './constrained.ts';
import type { Constraints } from './constraints.ts';
import type { Decoder } from './strategy.ts';

const VOCAB = 8;
const [OPEN, CLOSE] = [6, 7];
const NOTHING: Constraints = {
  ...{ presencePenalty: 0, frequencyPenalty: 0, biases: [], shape: undefined },
  openingIds: new Set([OPEN]),
};

/** The ids of a reply to logits whose best token is that of a script, and what the mask has read: all but the last, at which reading stops. */
async function reply(script: readonly number[], allowed: readonly (readonly number[])[]) {
  const read: number[] = [];
  let isThinking = false;
  let freed = 0;
  const mask: TokenMask = {
    next: async () => Int32Array.of((allowed[read.length] ?? []).reduce((bits, id) => bits | (1 << id), 0)),
    accept: (id) => read.push(id) > 0,
    dispose: () => (freed += 1),
  };
  const predicted = (step: number) => ({
    logits: Float32Array.from({ length: VOCAB }, (_, id) => (id === script[step] ? 9 : -id)),
  });
  let steps = 0;
  const decoder = {
    first: predicted(0),
    get isThinking() {
      return isThinking;
    },
    choose: (_: unknown, { logits }: { logits: Float32Array }) => ({
      id: logits.indexOf(Math.max(...logits)),
    }),
    state: { step: async () => predicted(++steps) },
  } as unknown as Decoder;
  const ids: number[] = [];
  for await (const { id } of constrained(NOTHING, async () => mask).decode(decoder)) {
    ids.push(id);
    if (id === OPEN) isThinking = true;
    if (id === CLOSE) isThinking = false;
    if (ids.length === script.length) break;
  }
  return { ids, read, freed };
}

test('a token that may not come is replaced by the best one that may', async () => {
  expect(await reply([5, 5], [[2, 3], [4]])).toEqual({ ids: [2, 4], read: [2], freed: 1 });
});

test('thoughts are free, and the shape begins behind them', async () => {
  const told = await reply([OPEN, 5, CLOSE, 5, 5], [[1], [2]]);
  expect(told).toEqual({ ids: [OPEN, 5, CLOSE, 1, 2], read: [1], freed: 1 });
});

test('thoughts do not begin within the shape', async () => {
  expect((await reply([1, OPEN], [[1], [2]])).ids).toEqual([1, 2]);
});

test('a reply ends where nothing may come', async () => {
  expect(await reply([1, 5, 5], [[1]])).toEqual({ ids: [1], read: [1], freed: 1 });
});
