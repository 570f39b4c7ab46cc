/** OpenAI's older API, on the CPU with the story model: texts, token ids, echoes and log-probabilities. */
import { resolve } from 'node:path';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
  vi,
  type MockInstance,
} from 'vitest';
import { AtomoeError } from '../../errors.ts';
import { nodeFolder } from '../../io/node-file.ts';
import type { TextCompletion, TextCompletionChunk, TextCompletionStream } from '../api.ts';
import { LocalEngine } from '../engine.ts';
import { TextReport } from './text-logprobs.ts';

const MODEL = resolve(import.meta.dirname, '../../../demo/public/models/fable-omni-8m');
const PROMPT = 'Once upon a time';
const request = { prompt: PROMPT, max_tokens: 3, temperature: 0 };

let engine: LocalEngine;

beforeAll(async () => {
  engine = await LocalEngine.open({ device: 'cpu' });
  await engine.load(await nodeFolder(MODEL), { contextTokens: 24 });
});
afterAll(() => engine.dispose());

const create = (extra: object = {}, options?: object) =>
  engine.completions.create({ ...request, ...extra }, options) as Promise<TextCompletion>;

async function chunksOf(extra: object = {}): Promise<TextCompletionChunk[]> {
  const stream = await engine.completions.create({ ...request, ...extra, stream: true });
  const chunks: TextCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

/** The chunks of each choice, put together. */
function textsOf(chunks: readonly TextCompletionChunk[]): string[] {
  const texts: string[] = [];
  for (const { index, text } of chunks.flatMap(({ choices }) => choices)) {
    texts[index] = (texts[index] ?? '') + text;
  }
  return texts;
}

describe('the answer', () => {
  test('goes on with the text, as a reply to plain text does', async () => {
    expect(await create()).toEqual({
      id: expect.stringMatching(/^cmpl-[0-9a-f]{30}$/),
      object: 'text_completion',
      created: expect.closeTo(Date.now() / 1000, -2),
      model: engine.model?.label,
      choices: [
        {
          index: 0,
          text: ', there was',
          logprobs: null,
          finish_reason: 'length',
          atomoe: { reason: 'length', seed: expect.any(Number), timings: expect.any(Object) },
        },
      ],
      usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 },
    });
  });

  test('to token ids is that to their text', async () => {
    const prompt = await engine.tokenize(PROMPT);
    const { choices, usage } = await create({ prompt });
    expect(choices[0]?.text).toBe(', there was');
    expect(usage.prompt_tokens).toBe(prompt.length);
  });

  test('to several prompts has a choice for each reply, in order', async () => {
    const ids = await engine.tokenize('The owl');
    const alone = await Promise.all(['The fox', ids].map((prompt) => create({ prompt })));
    const texts = await create({ prompt: ['The fox', 'The owl'] });
    expect(texts.choices.map(({ index }) => index)).toEqual([0, 1]);
    expect(texts.choices.map(({ text }) => text)).toEqual(alone.map(({ choices }) => choices[0]?.text));
    expect(texts.usage.prompt_tokens).toBe(alone.reduce((sum, { usage }) => sum + usage.prompt_tokens, 0));
    const drawn = { n: 2, temperature: 1, seed: 5 };
    const several = await create({ prompt: [ids, ids], ...drawn });
    const once = await create({ prompt: ids, ...drawn });
    expect(several.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(several.choices.map(({ text }) => text)).toEqual(
      [...once.choices, ...once.choices].map(({ text }) => text),
    );
    expect(several.choices.map(({ atomoe }) => atomoe?.seed)).toEqual([5, 6, 5, 6]);
  });

  test('streams the same, with the usage in a last chunk', async () => {
    const extra = { prompt: ['The fox', PROMPT], echo: true, logprobs: 1 };
    const whole = await create(extra);
    const chunks = await chunksOf({ ...extra, stream_options: { include_usage: true } });
    expect(textsOf(chunks)).toEqual(whole.choices.map(({ text }) => text));
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    const parts = chunks.flatMap(({ choices }) => choices);
    for (const { index, logprobs } of whole.choices) {
      const own = parts.filter((part) => part.index === index);
      expect(own.flatMap((part) => part.logprobs?.tokens ?? [])).toEqual(logprobs?.tokens);
      expect(own.flatMap((part) => part.logprobs?.text_offset ?? [])).toEqual(logprobs?.text_offset);
      expect(own.map(({ finish_reason: reason }) => reason).filter(Boolean)).toEqual(['length']);
    }
    expect((await chunksOf()).some((chunk) => 'usage' in chunk)).toBe(false);
  });

  test('obeys stop strings, biases and maximum', async () => {
    expect((await create({ stop: ' was' })).choices[0]).toMatchObject({
      text: ', there',
      finish_reason: 'stop',
    });
    const [comma] = await engine.tokenize(',').then((ids) => ids.slice(-1));
    const biased = await create({ logit_bias: { [String(comma)]: -100 } });
    expect(biased.choices[0]?.text).not.toMatch(/^,/);
    expect((await create({ max_tokens: null })).usage.completion_tokens).toBe(16);
  });
});

describe('log-probabilities', () => {
  test('of an echo are those of the score, and offsets find each token in the text', async () => {
    const { choices } = await create({ echo: true, logprobs: 2 });
    const [choice] = choices;
    expect(choice?.text).toBe('Once upon a time, there was');
    const { tokens, token_logprobs: each, top_logprobs: top, text_offset: offsets } = choice!.logprobs!;
    expect(tokens.join('')).toBe(choice?.text);
    for (const [at, token] of tokens.entries()) {
      expect(choice?.text.slice(offsets[at], (offsets[at] ?? 0) + token.length)).toBe(token);
    }
    const [first = 0, ...others] = await engine.tokenize(PROMPT);
    const scored = await engine.score([first], others);
    expect(each.slice(0, scored.length)).toEqual(scored.map(({ logprob }) => logprob));
    // What follows was chosen greedily, so that each is the likeliest of its place.
    for (const at of [tokens.length - 3, tokens.length - 2, tokens.length - 1]) {
      expect(Object.keys(top[at] ?? {})).toHaveLength(2);
      expect(Math.max(...Object.values(top[at] ?? {}))).toBe(each[at]);
    }
  });

  test('without new tokens score the prompt only', async () => {
    const { choices, usage } = await create({ echo: true, logprobs: 0, max_tokens: 0 });
    expect(choices).toEqual([
      { index: 0, text: PROMPT, logprobs: expect.any(Object), finish_reason: 'length' },
    ]);
    expect(choices[0]?.logprobs?.tokens.join('')).toBe(PROMPT);
    expect(usage).toEqual({ prompt_tokens: 5, completion_tokens: 0, total_tokens: 5 });
  });

  test('of a score come with the likeliest, and a greedy reply has those', async () => {
    const { choices } = await create({ logprobs: 1 });
    const [first = 0, ...others] = await engine.tokenize(`${PROMPT}${choices[0]?.text}`);
    const scored = await engine.score([first], others, { logprobs: 3 });
    for (const { alternatives = [] } of scored) {
      expect(alternatives).toHaveLength(3);
      expect(alternatives.map(({ logprob }) => logprob)).toEqual(
        alternatives.map(({ logprob }) => logprob).toSorted((a, b) => b - a),
      );
    }
    expect(scored.slice(-3).map(({ alternatives }) => alternatives?.[0]?.id)).toEqual(
      scored.slice(-3).map(({ id }) => id),
    );
    await expect(engine.score('a', 'b', { logprobs: 21 })).rejects.toThrow(/logprobs is 21; wanted/);
  });
});

describe('a character that several tokens write', () => {
  /** The story model has each byte, and the first two of a dash, as tokens. */
  const FOX = 'a \u2014 \u{1f98a}!';

  test('is named by its bytes, and each part is where the character begins', async () => {
    const { choices } = await create({ prompt: FOX, echo: true, logprobs: 3, max_tokens: 0 });
    const { tokens, top_logprobs: top, token_logprobs: each, text_offset: offsets } = choices[0]!.logprobs!;
    expect(tokens.filter((token) => token.startsWith('bytes:')).slice(-4)).toEqual([
      'bytes:\\xf0',
      'bytes:\\x9f',
      'bytes:\\xa6',
      'bytes:\\x8a',
    ]);
    expect(tokens.join('')).not.toContain('\ufffd');
    const fox = FOX.indexOf('\u{1f98a}');
    expect(offsets.slice(-5)).toEqual([fox, fox, fox, fox, fox + 2]);
    for (const [at, token] of tokens.entries()) {
      if (at > 0) expect(top[at]?.[token], token).toBe(each[at]);
    }
  });

  test('at the beginning, too, and in the reply', async () => {
    const [first = 0, ...others] = await engine.tokenize('\u{1f98a}').then((ids) => ids.slice(-4));
    const bias = { [String(others[0])]: 100 };
    const { choices } = await create({
      ...{ prompt: [first], echo: true, logprobs: 1, max_tokens: 1, logit_bias: bias },
    });
    expect(choices[0]?.logprobs).toMatchObject({
      tokens: ['bytes:\\xf0', 'bytes:\\x9f'],
      text_offset: [0, 0],
    });
  });

  test('has a key for each alternative, of two with one text as well', async () => {
    const report = new TextReport();
    const token = { id: 1, text: 'A', bytes: [65], logprob: -2 };
    const twin = { id: 2, text: 'A', bytes: [65], logprob: -1 };
    const parts = [0xe2, 0xe3].map((byte, at) => ({
      ...{ id: 3 + at, text: '\ufffd', bytes: [0x20, byte, 0x5c], logprob: -3 - at },
    }));
    const real = { id: 5, text: '\ufffd', bytes: [0xef, 0xbf, 0xbd], logprob: -5 };
    const { top_logprobs: top } = report.add([
      { ...token, alternatives: [twin, token, ...parts, real] },
      { ...token, logprob: null },
    ]);
    expect(top).toEqual([
      {
        ...{ A: -2, 'token_id:2': -1 },
        ...{ 'bytes: \\xe2\\x5c': -3, 'bytes: \\xe3\\x5c': -4, '\ufffd': -5 },
      },
      null,
    ]);
  });
});

describe('what is refused', () => {
  test.each<[extra: object, says: RegExp]>([
    [{ prompt: null }, /the request has no prompt; wanted text or token ids/],
    [{ prompt: [] }, /prompt is a list of 0; wanted text, token ids, or a list/],
    [{ prompt: { text: 'a' } }, /prompt is an object; wanted text, token ids/],
    [{ prompt: [1, 'a'] }, /prompt\[1\] is "a"; wanted a whole number/],
    [{ prompt: ['a', 1] }, /prompt\[1\] is 1; wanted a list of token ids/],
    [{ prompt: [1e9] }, /token id 1000000000 is outside the vocabulary/],
    [{ prompt: '' }, /the prompt is empty/],
    [{ logit_bias: { 5: 101 } }, /logit_bias\.5 is 101; wanted a number from -100 to 100/],
    [{ suffix: 'the end' }, /suffix is "the end", but this engine writes what follows a text/],
    [{ best_of: 3 }, /best_of is 3, but this engine gives every reply that it makes/],
    [{ max_tokens: 0 }, /max_tokens is 0 without echo: true/],
    [{ max_tokens: -1 }, /max_tokens is -1; wanted a whole number from 1/],
    [{ logprobs: true }, /logprobs is true; wanted a whole number from 0 to 20/],
    [{ echo: 1 }, /echo is 1; wanted true or false/],
    [{ messages: [] }, /unknown field "messages"/],
    [{ temprature: 1 }, /unknown field "temprature", did you mean "temperature"\?/],
    [{ signal: {} }, /signal is an object; wanted an AbortSignal/],
  ])('%j', async (extra, says) => {
    const error: unknown = await create(extra).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AtomoeError);
    expect(error).toMatchObject({ code: 'bad-input', message: expect.stringMatching(says) });
  });

  test.each<[prompt: unknown, code: string, says: RegExp]>([
    [[[5], [1e9]], 'bad-input', /^prompt\[1\]: token id 1000000000 is outside/],
    [['The fox', ''], 'bad-input', /^prompt\[1\]: the prompt is empty/],
    [[[5], []], 'bad-input', /^prompt\[1\]: the prompt is empty/],
    [['The fox', 'fox '.repeat(30)], 'context-full', /^prompt\[1\]: the prompt is \d+ tokens long/],
  ])('%j before the first reply', async (prompt, code, says) => {
    const stream = await engine.completions.create({ ...request, prompt, stream: true } as never);
    const read: TextCompletionChunk[] = [];
    const failed = (async () => {
      for await (const chunk of stream as unknown as TextCompletionStream) read.push(chunk);
    })();
    await expect(failed).rejects.toMatchObject({ code, message: expect.stringMatching(says) });
    expect(read).toEqual([]);
  });

  test('nothing, where it asks for nothing', async () => {
    const { choices } = await create({ best_of: 1, suffix: '', user: 'ann', logit_bias: {}, n: null });
    expect(choices[0]?.text).toBe(', there was');
    expect((await create({ n: 2, best_of: 2 })).choices).toHaveLength(2);
  });

  test('an engine without a model', async () => {
    const empty = await LocalEngine.open({ device: 'cpu' });
    await expect(empty.completions.create(request)).rejects.toThrow(/no model is loaded/);
    empty.dispose();
  });
});

test('a stream is left, stopped by its controller, or not begun', async () => {
  const long = { ...request, max_tokens: 18, stream: true } as const;
  for await (const _ of await engine.completions.create(long)) break;
  const stream: TextCompletionStream = await engine.completions.create(long);
  let last: TextCompletionChunk | undefined;
  let count = 0;
  for await (const chunk of stream) {
    last = chunk;
    if (++count === 2) stream.controller.abort();
  }
  expect(last?.choices[0]).toMatchObject({ finish_reason: 'stop', atomoe: { reason: 'abort' } });
  expect(count).toBe(3);
  const signal = AbortSignal.abort(new Error('no longer'));
  await expect(create({}, { signal })).rejects.toThrow('no longer');
});

describe('every choice ends', () => {
  const ends = (chunks: readonly TextCompletionChunk[]) =>
    chunks
      .flatMap(({ choices }) => choices)
      .flatMap(({ index, finish_reason: reason }) => (reason === null ? [] : [[index, reason] as const]));

  test('before the next one begins', async () => {
    const chunks = await chunksOf({ prompt: ['The fox', 'The owl'], n: 2, echo: true, logprobs: 1 });
    expect(ends(chunks)).toEqual([0, 1, 2, 3].map((index) => [index, 'length']));
    const order = chunks.flatMap(({ choices }) => choices.map(({ index }) => index));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  test('before the next prompt is scored', async () => {
    const score = vi.spyOn(engine, 'score');
    const asked = { ...request, prompt: ['The fox', 'The owl'], echo: true, logprobs: 1, max_tokens: 0 };
    for await (const { choices } of await engine.completions.create({ ...asked, stream: true })) {
      if (choices[0]?.finish_reason) break;
    }
    expect(score).toHaveBeenCalledOnce();
    score.mockRestore();
  });

  test('of a stream that is stopped', async () => {
    const stream = await engine.completions.create({
      ...request,
      prompt: ['The fox', 'The owl'],
      n: 2,
      stream: true,
    });
    const chunks: TextCompletionChunk[] = [];
    for await (const chunk of stream) if (chunks.push(chunk) === 2) stream.controller.abort();
    expect(ends(chunks)).toEqual([0, 1, 2, 3].map((index) => [index, 'stop']));
  });

  describe('while its prompt is scored', () => {
    const prompt = 'Once upon a time, there was a fox. '.repeat(16);
    let large: LocalEngine;
    let steps: MockInstance<LocalEngine['runner']['allLogits']>;
    let begun: Promise<void>; // the first of them

    beforeEach(async () => {
      large = await LocalEngine.open({ device: 'cpu' });
      await large.load(await nodeFolder(MODEL), { contextTokens: 200 });
      const { runner } = large;
      const step = runner.allLogits.bind(runner);
      begun = new Promise((resolve) => {
        steps = vi.spyOn(runner, 'allLogits').mockImplementation((...given) => {
          resolve();
          return step(...given);
        });
      });
    });
    afterEach(() => large.dispose());

    const asked = { ...request, prompt: [prompt, prompt], echo: true, logprobs: 1 };
    test.each([0, 1])('of a stream, before %i other scores are made', async (count) => {
      const others = Array.from({ length: count }, () => large.score('Once', prompt.slice(4)));
      const stream = await large.completions.create({ ...asked, stream: true });
      const chunks: TextCompletionChunk[] = [];
      const read = (async () => {
        for await (const chunk of stream) chunks.push(chunk);
      })();
      await begun;
      stream.controller.abort();
      await read;
      expect(steps.mock.calls.length).toBeLessThanOrEqual(2);
      expect(ends(chunks)).toEqual([0, 1].map((index) => [index, 'stop']));
      expect(textsOf(chunks)).toEqual(['', '']);
      for (const scored of await Promise.all(others)) expect(scored.length).toBeGreaterThan(100);
    });

    test('of a whole answer, with the reason', async () => {
      const stop = new AbortController();
      const failed = expect(large.completions.create(asked, { signal: stop.signal })).rejects.toThrow(
        'enough',
      );
      await begun;
      stop.abort(new Error('enough'));
      await failed;
      expect(steps.mock.calls.length).toBeLessThanOrEqual(2);
    });

    test('of a model that goes', async () => {
      const failed = expect(large.score('Once', prompt.slice(4))).rejects.toMatchObject({ code: 'disposed' });
      await begun;
      large.dispose();
      await failed;
    });
  });
});

test('a session goes on with token ids', async () => {
  const session = engine.session();
  const ids = await engine.tokenize(PROMPT);
  let told = '';
  for await (const event of session.generate(ids, { maxTokens: 3, temperature: 0 })) {
    if (event.kind === 'done') told = event.text;
  }
  session.dispose();
  expect(told).toBe(', there was');
  await expect(async () => {
    for await (const _ of engine.session().generate([1, -1]));
  }).rejects.toThrow(/the prompt\[1\] is -1; wanted a whole number/);
});
