/** Sessions that are cloned, saved and restored, on every device and in a worker; texts as ids, and how likely they are. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Session } from '../api.ts';
import { DEVICES, engineWith, MOE, OMNI, tellIn } from '../decode/decode.testing.ts';
import type { LocalEngine } from '../engine.ts';

const GREEDY = { temperature: 0, maxTokens: 10 };
const PROMPT = 'Once upon a time, there was a little fox who';
const MORE = `${PROMPT} lived in the wood. One day`;

/** A session that has read a prompt, and told something. */
async function toldIn(engine: LocalEngine): Promise<Session> {
  const session = engine.session();
  await tellIn(session, GREEDY, PROMPT);
  return session;
}

describe.each(DEVICES)('on %s', (_, engineOptions) => {
  let engine: LocalEngine;

  beforeAll(async () => {
    engine = await engineWith(MOE, { contextTokens: 64 }, engineOptions);
  });

  afterAll(() => engine.dispose());

  test('a clone goes on as its origin does, and apart', async () => {
    const session = await toldIn(engine);
    const clone = await session.clone();
    expect(clone.tokens).toBe(session.tokens);
    const apart = await tellIn(clone, GREEDY, 'The sun');
    const wanted = await tellIn(session, GREEDY, MORE);
    expect(wanted.done.usage.reusedTokens).toBeGreaterThan(5);
    const again = await session.clone();
    expect((await tellIn(again, GREEDY, MORE)).ids).toEqual(wanted.ids);
    expect(apart.ids).not.toEqual(wanted.ids);
    for (const each of [session, clone, again]) each.dispose();
  });

  test('a saved session is restored bit for bit, without computing it again', async () => {
    const session = await toldIn(engine);
    const saved = await session.save();
    const wanted = await tellIn(session, { ...GREEDY, logprobs: 3 }, MORE);
    const other = engine.session();
    expect(await other.restore(saved)).toEqual({ tokens: expect.any(Number), how: 'copied' });
    const told = await tellIn(other, { ...GREEDY, logprobs: 3 }, MORE);
    expect(told.tokens).toEqual(wanted.tokens);
    expect(told.done.usage).toEqual(wanted.done.usage);
    session.dispose();
    other.dispose();
  });

  test('what is saved takes the tokens that it has, and not the whole context', async () => {
    const session = await toldIn(engine);
    const few = (await session.save()).length;
    await tellIn(session, { ...GREEDY, maxTokens: 20 }, MORE);
    const many = (await session.save()).length;
    expect(few).toBeLessThan(0.8 * many);
    session.dispose();
  });

  test('another model computes it again from the ids', async () => {
    const session = await toldIn(engine);
    const saved = await session.save();
    const other = await engineWith(OMNI, { contextTokens: 64 }, engineOptions);
    const restored = other.session();
    const report = await restored.restore(saved);
    expect(report).toEqual({ tokens: session.tokens, how: 'computed', why: 'another model saved it' });
    const fresh = await tellIn(other.session(), GREEDY, MORE);
    const told = await tellIn(restored, GREEDY, MORE);
    expect(told.ids).toEqual(fresh.ids);
    expect(told.done.usage.reusedTokens).toBeGreaterThan(5);
    session.dispose();
    other.dispose();
  });

  test('a score is the sum that a reply of the same tokens reports', async () => {
    const { tokens } = await tellIn(engine.session(), { ...GREEDY, logprobs: 0 }, PROMPT);
    const text = tokens.map((token) => token.text).join('');
    const scored = await engine.score(PROMPT, text);
    expect(scored.map(({ id }) => id)).toEqual(tokens.map(({ id }) => id));
    for (const [at, { logprob }] of scored.entries()) {
      expect(logprob).toBeCloseTo(tokens[at]?.logprob ?? NaN, 3);
    }
  });
});

describe('what is refused', () => {
  let engine: LocalEngine;

  beforeAll(async () => {
    engine = await engineWith(MOE, { contextTokens: 64 }, { device: 'cpu' });
  });

  afterAll(() => engine.dispose());

  test.each([
    ['nothing', undefined, /it is no Uint8Array/],
    ['no bytes', new Uint8Array(0), /it is empty/],
    ['something else', new TextEncoder().encode('\x10\0\0\0{"format": "other"}'), /its header is/],
  ])('%s', async (_name, bytes, says) => {
    const session = engine.session();
    await expect(session.restore(bytes as never)).rejects.toThrow(says);
    expect((await tellIn(session, { ...GREEDY, maxTokens: 2 }, PROMPT)).ids).toHaveLength(2);
    session.dispose();
  });

  test('bytes that are cut, wherever', async () => {
    const session = await toldIn(engine);
    const saved = await session.save();
    for (const length of [3, 100, saved.length - 1]) {
      await expect(session.restore(saved.slice(0, length))).rejects.toMatchObject({ code: 'bad-input' });
    }
    expect((await session.restore(saved)).how).toBe('copied');
    session.dispose();
  });

  test('a session that is replying', async () => {
    const session = engine.session();
    const reply = session.generate(PROMPT, GREEDY)[Symbol.asyncIterator]();
    await reply.next();
    for (const ask of [() => session.save(), () => session.clone()]) {
      await expect(ask()).rejects.toMatchObject({ code: 'busy' });
    }
    session.dispose();
    await expect(session.save()).rejects.toMatchObject({ code: 'disposed' });
  });
});

test('texts are ids, and ids texts', async () => {
  const engine = await engineWith(MOE, { contextTokens: 64 }, { device: 'cpu' });
  const ids = await engine.tokenize(PROMPT);
  expect(await engine.detokenize(ids)).toBe(`<|endoftext|>${PROMPT}`); // begins texts, too
  const { usage } = (await tellIn(engine.session(), { ...GREEDY, maxTokens: 1 }, PROMPT)).done;
  expect(ids).toHaveLength(usage.promptTokens);
  expect(await engine.detokenize([])).toBe('');
  await expect(engine.detokenize([-1])).rejects.toThrow(/outside the vocabulary/);
  await expect(engine.score('', 'a')).rejects.toThrow(/the prompt of score has no tokens/);
  await expect(engine.score('a', '')).rejects.toThrow(/the text of score has no tokens/);
  engine.dispose();
});
