/** What a strategy from outside can rely on: the same bits as plain replies, ends that hold, states that are freed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DRAFT_TOKENS } from '../run/runner.ts';
import type { LocalEngine } from '../engine.ts';
import { firstDifference } from '../testing.ts';
import { DEVICES, engineWith, MOE, OMNI, tell, tellIn } from './decode.testing.ts';
import type { DecodedToken, Decoder, DecodingState, DecodingStrategy } from './strategy.ts';

const GREEDY = { temperature: 0, maxTokens: 12 };

/** A strategy from its tokens. */
function strategy(
  decode: DecodingStrategy['decode'],
  rest: Partial<DecodingStrategy> = {},
): DecodingStrategy {
  return { name: 'own', ...rest, decode };
}

const plainly = strategy((decoder) => decoder.plainly(decoder.state, decoder.first));

/** One token after another, each chosen by logits that the strategy has looked at. */
const byLogits = strategy(
  async function* (decoder) {
    let prediction = decoder.first;
    for (;;) {
      const token = decoder.choose(prediction, { logits: prediction.logits ?? new Float32Array(0) });
      yield token;
      prediction = await decoder.state.step(token.id);
    }
  },
  { needsLogits: true },
);

describe.each(DEVICES)('on %s', (_, engineOptions) => {
  let engine: LocalEngine;

  beforeAll(async () => {
    engine = await engineWith(MOE, { contextTokens: 64 }, engineOptions);
  });

  afterAll(() => engine.dispose());

  test.each([
    ['greedily', GREEDY],
    ['drawn', { ...GREEDY, temperature: 1, seed: 3 }],
    ['drawn by all logits', { ...GREEDY, temperature: 2, topP: 1, seed: 3 }],
    ['with a penalty', { ...GREEDY, repetitionPenalty: 1.5 }],
    ['with all that is reported', { ...GREEDY, temperature: 1, seed: 5, logprobs: 3, routes: true }],
  ])('a strategy that does nothing of its own tells what a plain reply tells: %s', async (_name, options) => {
    const plain = await tell(engine, options);
    const told = await tell(engine, { ...options, decoding: plainly });
    expect(told.tokens).toEqual(plain.tokens);
    expect(told.done).toMatchObject({ text: plain.done.text, decoding: { strategy: 'own' } });
    expect(told.done.usage).toEqual(plain.done.usage);
    const looked = await tell(engine, { ...options, decoding: byLogits });
    expect(looked.ids).toEqual(plain.ids);
    for (const [at, { logprob }] of plain.tokens.entries()) {
      // A sum over all logits in f64 or in f32.
      if (logprob !== undefined) expect(looked.tokens[at]?.logprob).toBeCloseTo(logprob, 5);
    }
  });

  test('forks go on apart, rewinding takes back, and drafts predict what single steps do', async () => {
    const seen: string[] = [];
    const decoding = strategy(
      async function* ({ first, choose, state, open, prompt }) {
        const logits = async (of: DecodingState, id: number) => (await of.step(id)).logits ?? [];
        const same = (a: ArrayLike<number>, b: ArrayLike<number>) =>
          firstDifference(Float32Array.from(a), Float32Array.from(b)) === 'equal';
        const fork = await state.fork();
        const wanted = await logits(state, 60);
        seen.push(`fork ${same(await logits(fork, 60), wanted)} ${fork.tokens - prompt.length}`);
        const next = await logits(state, 61);
        await state.rewind(prompt.length);
        await state.step([60]);
        seen.push(`rewound ${same(await logits(state, 61), next)}`);
        await state.rewind(prompt.length + 1);
        const all = await state.stepAll([61, 7, 9]);
        const other = await logits(fork, 61);
        seen.push(`fork ${same(other, next)}`);
        const distance = Math.max(
          ...other.map((value, id) => Math.abs(value - (all[0]?.logits?.[id] ?? NaN))),
        );
        seen.push(
          `draft ${distance < 1e-4} ${all.map(({ position }) => position - prompt.length).join(' ')}`,
        );
        const fresh = await open();
        seen.push(
          `fresh ${fresh.tokens} ${same((await fresh.step(prompt)).logits ?? [], first.logits ?? [])}`,
        );
        yield choose(first);
      },
      { needsLogits: true },
    );
    await tell(engine, { ...GREEDY, decoding });
    expect(seen).toEqual(['fork true 1', 'rewound true', 'fork true', 'draft true 2 3 4', 'fresh 0 true']);
  });

  test('hooks belong to a state, and what was read with them is not reused', async () => {
    const session = engine.session();
    const plain = await tellIn(session, GREEDY);
    const decoding = strategy(async function* (decoder) {
      await decoder.state.hook({ all: { mask: [0, 1, 2, 3, 4, 5, 6, 7] } });
      yield* decoder.plainly(decoder.state, decoder.first);
    });
    const hooked = await tellIn(session, { ...GREEDY, decoding });
    expect(hooked.ids).not.toEqual(plain.ids);
    expect(session.tokens).toBe(plain.done.usage.promptTokens);
    expect((await tellIn(session, GREEDY)).ids).toEqual(plain.ids);
    session.dispose();
  });

  test('stop texts, the longest length and the end of the context hold', async () => {
    const plain = await tell(engine, { ...GREEDY, maxTokens: 24 });
    const stop = plain.done.text.slice(8, 13);
    const stopped = await tell(engine, { ...GREEDY, maxTokens: 24, stop: [stop], decoding: plainly });
    expect(stopped.done).toMatchObject({ reason: 'stop', text: plain.done.text.split(stop)[0] });
    let wasClosed = false;
    const endless = strategy(async function* ({ first, state, choose }) {
      try {
        let prediction = first;
        for (;;) {
          const token = choose(prediction);
          yield token;
          prediction = await state.step(token.id);
        }
      } finally {
        wasClosed = true;
      }
    });
    const cut = await tell(engine, { ...GREEDY, maxTokens: 5, decoding: endless });
    expect([cut.done.reason, cut.ids]).toEqual(['length', plain.ids.slice(0, 5)]);
    expect(wasClosed).toBe(true);
    const session = engine.session();
    const whole = await tellIn(session, { temperature: 1, seed: 2, maxTokens: 100, decoding: endless });
    const { promptTokens, completionTokens } = whole.done.usage;
    expect([whole.done.reason, promptTokens + completionTokens, session.tokens]).toEqual(['length', 65, 64]);
    session.dispose();
  });

  test('an abort ends a step of a strategy, and the session goes on', async () => {
    const session = engine.session();
    const plain = await tellIn(session, GREEDY);
    const abort = new AbortController();
    const decoding = strategy(async function* ({ first, state, choose, open }) {
      const other = await open();
      yield choose(first);
      abort.abort();
      await other.step(7);
      yield choose(await state.step(7));
    });
    const told = await tellIn(session, { ...GREEDY, signal: abort.signal, decoding });
    expect([told.done.reason, told.ids]).toEqual(['abort', plain.ids.slice(0, 1)]);
    expect((await tellIn(session, GREEDY)).ids).toEqual(plain.ids);
    session.dispose();
  });

  test('the states of a strategy are freed with its reply', async () => {
    const before = engine.memory().kvCacheBytes;
    const session = engine.session();
    let during = 0;
    const decoding = strategy(async function* ({ first, open, state, choose }) {
      await state.fork();
      const other = await open();
      await other.step(7);
      during = engine.memory().kvCacheBytes;
      yield choose(first);
    });
    await tellIn(session, { ...GREEDY, decoding });
    const own = engine.memory().kvCacheBytes - before;
    expect(during - before).toBe(3 * own);
    session.dispose();
  });
});

describe('what strategies do wrong', () => {
  let engine: LocalEngine;

  beforeAll(async () => {
    engine = await engineWith(MOE, { contextTokens: 32 });
  });

  afterAll(() => engine.dispose());

  test.each<[what: string, message: RegExp, decode: (decoder: Decoder) => AsyncGenerator<DecodedToken>]>([
    [
      'throws',
      /strategy "own" threw TypeError: no; wanted tokens/,
      () => {
        throw new TypeError('no');
      },
    ],
    [
      'a token without an id',
      /whose id is undefined; wanted a whole number below 4096/,
      async function* () {
        yield {} as DecodedToken;
      },
    ],
    [
      'an unknown token',
      /whose id is 4096;/,
      async function* () {
        yield { id: 4096 };
      },
    ],
    [
      'reads an unknown token',
      /token id 4096 is outside the vocabulary/,
      async function* ({ state }) {
        await state.step(4096);
        yield { id: 1 };
      },
    ],
    [
      'reads beyond the context',
      /a state of 10 tokens was to read 23 more, and the context holds 32/,
      async function* ({ state }) {
        await state.step(Array.from({ length: 23 }, () => 7));
        yield { id: 1 };
      },
    ],
    [
      'rewinds ahead',
      /was to rewind to 11 tokens; wanted a whole number up to the 10/,
      async function* ({ state }) {
        await state.rewind(11);
        yield { id: 1 };
      },
    ],
    [
      'gives an embedding of another size',
      /wanted a Float32Array of 192 numbers/,
      async function* ({ state }) {
        await state.step({ id: 1, embedding: new Float32Array(3) });
        yield { id: 1 };
      },
    ],
    [
      'allows no token',
      /the logits given to choose\(\) allow no token/,
      async function* ({ first, choose, vocab }) {
        yield choose(first, { logits: new Float32Array(vocab).fill(-Infinity) });
      },
    ],
    [
      'uses a state that it has disposed of',
      /this state was disposed of/,
      async function* ({ open }) {
        const state = await open();
        state.dispose();
        await state.step(1);
        yield { id: 1 };
      },
    ],
    [
      'hooks that the model has not',
      /hooks\.all\.mask/,
      async function* ({ state }) {
        await state.hook({ all: { mask: [99] } });
        yield { id: 1 };
      },
    ],
  ])('%s', async (_, message, decode) => {
    const told = tell(engine, { ...GREEDY, decoding: strategy(decode) });
    await expect(told).rejects.toMatchObject({
      code: expect.stringMatching(/bad-input|context-full|disposed/),
      message: expect.stringMatching(message),
    });
    expect((await tell(engine, { ...GREEDY, maxTokens: 1 })).ids).toHaveLength(1);
  });

  test('goes on behind the end of its reply', async () => {
    let kept: Decoder | undefined;
    await tell(engine, {
      ...GREEDY,
      decoding: strategy(async function* (decoder) {
        kept = decoder;
        yield decoder.choose(decoder.first);
      }),
    });
    await expect(kept?.state.step(1)).rejects.toMatchObject({ code: 'disposed' });
  });

  test('is refused before the prompt is read', async () => {
    const session = engine.session();
    await expect(
      tellIn(session, { decoding: { decode: 3 } as unknown as DecodingStrategy }),
    ).rejects.toMatchObject({
      message: expect.stringMatching(/^decoding is an object; wanted an object with a function decode;/),
    });
    await expect(tellIn(session, { decoding: plainly, trace: true })).rejects.toMatchObject({
      code: 'bad-input',
    });
    expect(session.tokens).toBe(0);
    session.dispose();
  });
});

test('strategies tell the same with few slots', async () => {
  const ids: (readonly number[])[] = [];
  for (const slotsPerLayer of [undefined, 32]) {
    const streaming =
      slotsPerLayer === undefined ? {} : { start: 'now' as const, fill: false, slotsPerLayer };
    const engine = await engineWith(OMNI, { contextTokens: 64, streaming });
    const told = await tell(engine, {
      ...GREEDY,
      decoding: strategy(async function* ({ state, choose, prompt }) {
        const fork = await state.fork();
        await fork.rewind(3);
        const drafts = await fork.stepAll(prompt.slice(3, 3 + DRAFT_TOKENS));
        for (const draft of drafts) yield choose(draft);
        yield* (await fork.stepAll([7])).map((each) => choose(each));
      }),
    });
    ids.push(told.ids);
    engine.dispose();
  }
  expect(ids[1]).toEqual(ids[0]);
});
