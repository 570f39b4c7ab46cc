/** Self-contrast: the limits in which it is plain greedy decoding, and two states that stay together. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LocalEngine } from '../engine.ts';
import { contrast } from './contrast.ts';
import { DEVICES, engineWith, MOE, OMNI, tell } from './decode.testing.ts';
import type { ContrastOptions } from './options.ts';
import type { Decoder, DecodingState, DecodingStrategy } from './strategy.ts';

const GREEDY = { temperature: 0, maxTokens: 16 };

describe.each(DEVICES)('on %s', (_, engineOptions) => {
  let engine: LocalEngine;

  beforeAll(async () => {
    engine = await engineWith(MOE, { contextTokens: 64 }, engineOptions);
  });

  afterAll(() => engine.dispose());

  test.each<[what: string, options: Omit<ContrastOptions, 'kind'>, temperature: number]>([
    ['beta = 0', { beta: 0 }, 0],
    ['a weak model with the hooks of the strong one', { weak: {} }, 0],
    [
      'a weak model with the ranks that the strong one chooses',
      { weak: { all: { ranks: [0, 1, 2, 3] } } },
      0,
    ],
    ['alpha = 1, even where tokens are drawn', { alpha: 1 }, 1.5],
  ])('%s is greedy', async (_name, options, temperature) => {
    const plain = await tell(engine, GREEDY);
    const decoding = { kind: 'contrast' as const, ...options };
    const told = await tell(engine, { ...GREEDY, temperature, seed: 3, decoding });
    expect(told.ids).toEqual(plain.ids);
    expect(told.done).toMatchObject({ usage: plain.done.usage, decoding: { strategy: 'contrast' } });
  });

  test('one expert as the weak model changes the reply, the same each time', async () => {
    const plain = await tell(engine, GREEDY);
    const decoding = { kind: 'contrast' as const, beta: 3, alpha: 0.01 };
    const told = await tell(engine, { ...GREEDY, decoding });
    expect(told.ids).not.toEqual(plain.ids);
    expect((await tell(engine, { ...GREEDY, decoding })).ids).toEqual(told.ids);
    const masked = { ...decoding, weak: { all: { mask: [0, 1, 2, 3, 4, 5, 6, 7] } } };
    expect((await tell(engine, { ...GREEDY, decoding: masked })).ids).not.toEqual(told.ids);
  });

  test('both states hold the same number of tokens at each token', async () => {
    const lengths: number[][] = [];
    const told = await tell(engine, {
      ...GREEDY,
      decoding: watched(contrast({ kind: 'contrast' }), lengths),
    });
    expect(lengths.map(([strong]) => strong)).toEqual(told.ids.map((_id, at) => (lengths[0]?.[0] ?? 0) + at));
    for (const [strong, weak] of lengths) expect(weak).toBe(strong);
  });
});

/** A strategy, and how many tokens its states hold whenever it yields one. */
function watched(inner: DecodingStrategy, lengths: number[][]): DecodingStrategy {
  return {
    ...inner,
    async *decode(decoder) {
      const states: DecodingState[] = [decoder.state];
      const open = async () => {
        const opened = await decoder.open();
        states.push(opened);
        return opened;
      };
      const get = (target: Decoder, key: keyof Decoder) => (key === 'open' ? open : target[key]);
      for await (const token of inner.decode(new Proxy(decoder, { get } as ProxyHandler<Decoder>))) {
        lengths.push(states.map(({ tokens }) => tokens));
        yield token;
      }
    },
  };
}

test.each([
  [MOE, { beta: -1 }, /^decoding\.beta is -1; wanted a number from 0 to 100/],
  [MOE, { alpha: 2 }, /^decoding\.alpha is 2/],
  [MOE, { weak: { all: { ranks: [32] } } }, /^decoding\.weak\.all\.ranks\.0 is 32/],
  [MOE, { week: {} }, /^unknown option "decoding\.week", did you mean "weak"/],
  [OMNI, {}, /^decoding\.weak: the router of layer 0 is "product"/],
])('%s %j is refused', async (path, options, message) => {
  const engine = await engineWith(path, { contextTokens: 32 });
  const told = tell(engine, { decoding: { kind: 'contrast', ...options } });
  await expect(told).rejects.toMatchObject({ code: 'bad-input', message: expect.stringMatching(message) });
  engine.dispose();
});
