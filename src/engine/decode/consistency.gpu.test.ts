/** Self-consistency: each sample is the plain reply of its seed, and one of them is the reply. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LocalEngine } from '../engine.ts';
import { plainText, vote } from './consistency.ts';
import { DEVICES, engineWith, MOE, tell, tellIn } from './decode.testing.ts';
import type { ConsistencyOptions } from './options.ts';

const DRAWN = { temperature: 0.9, seed: 7, maxTokens: 10, logprobs: 1, routes: true };

describe.each(DEVICES)('on %s', (_, engineOptions) => {
  let engine: LocalEngine;

  beforeAll(async () => {
    engine = await engineWith(MOE, { contextTokens: 64 }, engineOptions);
  });

  afterAll(() => engine.dispose());

  test.each([{ temperature: 0 }, { temperature: 0.9 }])('one sample is plain, %j', async (options) => {
    const plain = await tell(engine, { ...DRAWN, ...options });
    const decoding: ConsistencyOptions = { kind: 'consistency', samples: 1 };
    const told = await tell(engine, { ...DRAWN, ...options, decoding });
    expect(told.tokens).toEqual(plain.tokens);
    expect(told.done.decoding).toEqual({ strategy: 'consistency', samples: 1, votes: 1, answers: 1 });
  });

  test('the reply is that of a plain one whose answer wins', async () => {
    const drawn = { ...DRAWN, maxTokens: 2 }; // short, so that some answers are the same
    const plain = [];
    for (let sample = 0; sample < 6; sample += 1) {
      plain.push(await tell(engine, { ...drawn, seed: drawn.seed + sample }));
    }
    const { winner, counts } = vote(plain.map(({ done }) => plainText(done.text)));
    expect(counts[0]).toBeGreaterThan(1);
    const told = await tell(engine, { ...drawn, decoding: { kind: 'consistency', samples: 6 } });
    expect(told.tokens).toEqual(plain[winner]?.tokens);
    expect(told.done.decoding).toEqual({
      strategy: 'consistency',
      samples: 6,
      votes: counts[0],
      answers: counts.length,
      tally: counts.join(' '),
    });
  });

  test('an abort before the vote says nothing, and the session goes on', async () => {
    const session = engine.session();
    const plain = await tellIn(session, DRAWN);
    const abort = new AbortController();
    const events = session.generate('Once upon a time, there was a little', {
      ...DRAWN,
      decoding: 'consistency',
      signal: abort.signal,
    });
    const kinds: string[] = [];
    for await (const event of events) {
      kinds.push(event.kind === 'done' ? event.reason : event.kind);
      if (event.kind === 'prefill') abort.abort();
    }
    expect(kinds).not.toContain('token');
    expect(kinds.at(-1)).toBe('abort');
    expect((await tellIn(session, DRAWN)).ids).toEqual(plain.ids);
    session.dispose();
  });
});

test.each([
  [{ samples: 0 }, /^decoding\.samples is 0; wanted a whole number from 1 to 1000/],
  [{ answer: 'word' }, /^decoding\.answer is "word"; wanted "text" or "number"/],
  [{ samples: 3 }, /^decoding\.samples is 3 at temperature 0/],
])('%j is refused', async (options, message) => {
  const engine = await engineWith(MOE, { contextTokens: 32 });
  const decoding = { kind: 'consistency', ...options } as ConsistencyOptions;
  const told = tell(engine, { temperature: 0, decoding });
  await expect(told).rejects.toMatchObject({ code: 'bad-input', message: expect.stringMatching(message) });
  engine.dispose();
});
