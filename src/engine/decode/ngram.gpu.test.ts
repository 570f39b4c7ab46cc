/** Prompt lookup tells what plain replies tell, in fewer steps. */
import { describe, expect, test } from 'vitest';
import type { DecodingOption, GenerateOptions, LoadOptions } from '../api.ts';
import type { LocalEngine } from '../engine.ts';
import { DEVICES, engineWith, MOE, OMNI, tell, tellIn } from './decode.testing.ts';

/** Text that repeats itself, and text that does not. */
const PROMPTS = [
  'Once upon a time, there was a little',
  'The cat sat on the mat. The dog sat on the mat. The cat sat on the mat. The dog sat on',
  'Tom and Lily went to the park. Tom and Lily saw a big dog.',
];

const MODELS: [path: string, options: LoadOptions][] = [
  [MOE, { contextTokens: 160 }],
  [OMNI, { contextTokens: 160 }],
  [MOE, { contextTokens: 160, quantize: 'q4_0' }],
];

async function compare(
  engine: LocalEngine,
  options: GenerateOptions,
  decoding: DecodingOption,
  prompt?: string,
) {
  const plain = await tell(engine, options, prompt);
  const told = await tell(engine, { ...options, decoding }, prompt);
  expect(told.ids).toEqual(plain.ids);
  expect(told.done).toMatchObject({
    text: plain.done.text,
    reason: plain.done.reason,
    usage: plain.done.usage,
  });
  const { decoding: report } = told.done;
  expect(report?.strategy).toBe('ngram');
  const count = (fact: string) => Number(report?.[fact]);
  const facts = { steps: count('steps'), drafted: count('drafted'), accepted: count('accepted') };
  return { ...facts, tokens: told.ids.length, told, plain };
}

describe.each(DEVICES)('on %s', (device, engineOptions) => {
  test.each(device === 'reference' ? MODELS.slice(0, 1) : MODELS)(
    '%s %j: the greedy tokens',
    async (path, options) => {
      const engine = await engineWith(path, options, engineOptions);
      const longest = { temperature: 0, maxTokens: device === 'reference' ? 24 : 96 };
      for (const prompt of PROMPTS) {
        const { steps, accepted, drafted, tokens } = await compare(engine, longest, 'ngram', prompt);
        expect(accepted).toBeLessThanOrEqual(drafted);
        expect(steps + accepted).toBeGreaterThanOrEqual(tokens - 1); // the last draft may reach beyond the end
        if (prompt === PROMPTS[1]) expect(steps).toBeLessThan(0.8 * tokens);
      }
      engine.dispose();
    },
  );
});

describe('with options', () => {
  test.each<[what: string, options: GenerateOptions, decoding: DecodingOption]>([
    ['drawn tokens', { temperature: 0.7, seed: 4, maxTokens: 48 }, 'ngram'],
    ['a penalty', { temperature: 0, repetitionPenalty: 1.2, maxTokens: 48 }, 'ngram'],
    ['one token of draft', { temperature: 0, maxTokens: 48 }, { kind: 'ngram', draft: 1 }],
    ['the longest draft', { temperature: 0, maxTokens: 48 }, { kind: 'ngram', draft: 15, longest: 1 }],
    ['one token', { temperature: 0, maxTokens: 1 }, 'ngram'],
    ['the whole context', { temperature: 0, maxTokens: 500 }, 'ngram'],
  ])('%s', async (_, options, decoding) => {
    const engine = await engineWith(MOE, { contextTokens: 96 });
    await compare(engine, options, decoding, PROMPTS[1]);
    engine.dispose();
  });

  test('stop texts, log-probabilities, routes, and the next reply of the session', async () => {
    const engine = await engineWith(MOE, { contextTokens: 160 });
    const options = { temperature: 0, maxTokens: 40, logprobs: 2, routes: true };
    const { told, plain } = await compare(engine, options, 'ngram', PROMPTS[1]);
    for (const [at, { logprob, routes, alternatives }] of plain.tokens.entries()) {
      expect(told.tokens[at]?.logprob).toBeCloseTo(logprob ?? NaN, 3);
      expect(told.tokens[at]?.routes?.ids).toEqual(routes?.ids);
      expect(told.tokens[at]?.alternatives?.map(({ id }) => id)).toEqual(alternatives?.map(({ id }) => id));
    }
    const stop = [plain.done.text.slice(20, 26)];
    await compare(engine, { ...options, stop }, 'ngram', PROMPTS[1]);
    const session = engine.session();
    const first = await tellIn(session, { ...options, decoding: 'ngram' }, PROMPTS[1]);
    const longer = `${PROMPTS[1]}${first.done.text}`;
    const next = await tellIn(session, { ...options, maxTokens: 8 }, longer);
    const fresh = await tellIn(session, { ...options, maxTokens: 8, reusePrefix: false }, longer);
    expect(next.done.usage.reusedTokens).toBeGreaterThan(40);
    expect(next.ids).toEqual(fresh.ids);
    session.dispose();
    engine.dispose();
  });

  test('an abort between two drafts', async () => {
    const engine = await engineWith(MOE, { contextTokens: 160 });
    const session = engine.session();
    const abort = new AbortController();
    let count = 0;
    let reason = '';
    const options = { temperature: 0, maxTokens: 60, decoding: 'ngram' as const, signal: abort.signal };
    for await (const event of session.generate(PROMPTS[1] ?? '', options)) {
      if (event.kind === 'token' && (count += 1) === 12) abort.abort();
      if (event.kind === 'done') reason = event.reason;
    }
    expect(reason).toBe('abort');
    const after = await tellIn(session, { temperature: 0, maxTokens: 8 }, PROMPTS[1]);
    expect(after.ids).toEqual((await tell(engine, { temperature: 0, maxTokens: 8 }, PROMPTS[1])).ids);
    session.dispose();
    engine.dispose();
  });

  test('with few slots the drafts and the tokens are the same', async () => {
    const told = [];
    for (const streaming of [{}, { start: 'now' as const, fill: false, slotsPerLayer: 4 }]) {
      const engine = await engineWith(MOE, { contextTokens: 160, streaming });
      told.push(await tell(engine, { temperature: 0, maxTokens: 40, decoding: 'ngram' }, PROMPTS[1]));
      engine.dispose();
    }
    expect(told[1]?.ids).toEqual(told[0]?.ids);
    expect(told[1]?.done.decoding).toEqual(told[0]?.done.decoding);
  });

  test.each([
    ['mgram', /^decoding is "mgram"; wanted "ngram"/],
    [{ kind: 'mgram' }, /^decoding\.kind is "mgram"; wanted "ngram"/],
    [{ draft: 3 }, /^decoding\.kind is undefined/],
    [{ kind: 'ngram', draft: 16 }, /^decoding\.draft is 16; wanted a whole number from 1 to 15/],
    [{ kind: 'ngram', drafts: 3 }, /^unknown option "decoding\.drafts", did you mean "draft"/],
    [7, /^decoding is 7; wanted a plain object/],
  ])('%j is refused', async (decoding, message) => {
    const engine = await engineWith(MOE, { contextTokens: 32 });
    const told = tell(engine, { decoding: decoding as DecodingOption });
    await expect(told).rejects.toMatchObject({ code: 'bad-input', message: expect.stringMatching(message) });
    engine.dispose();
  });
});
