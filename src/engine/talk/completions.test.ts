/** OpenAI's shape, and replies that are never read to the end: on the CPU, with the story model. */
import { resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { AtomoeError } from '../../errors.ts';
import { nodeFolder } from '../../io/node-file.ts';
import type { ChatCompletionChunk, GenerateEvent } from '../api.ts';
import { LocalEngine } from '../engine.ts';
import type { RunnerState } from '../run/runner.ts';

const MODEL = resolve(import.meta.dirname, '../../../demo/public/models/fable-omni-8m');
const messages = [{ role: 'user', content: 'Once upon a time' }] as const;
const request = { messages, max_tokens: 3, temperature: 0 };

let engine: LocalEngine;
let live = 0; // KV caches

beforeAll(async () => {
  engine = await LocalEngine.open({ device: 'cpu' });
  await engine.load(await nodeFolder(MODEL), { contextTokens: 24 });
  const { runner } = engine;
  const open = runner.openState.bind(runner);
  vi.spyOn(runner, 'openState').mockImplementation(async () => {
    const state = await open();
    live += 1;
    return Object.assign(state, { dispose: () => (live -= 1) }) satisfies RunnerState;
  });
});

afterEach(() => vi.waitFor(() => expect(live).toBe(0), { timeout: 60_000 }));
afterAll(() => engine.dispose());

async function collect<T>(events: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const create = (extra: object = {}, options?: object) =>
  engine.chat.completions.create({ ...request, stream: false, ...extra }, options);
const stream = (extra: object = {}, options?: object) =>
  engine.chat.completions.create({ ...request, stream: true, ...extra }, options);

describe('the request', () => {
  const neutral = {
    model: 'gpt-4o',
    n: 1,
    presence_penalty: 0,
    frequency_penalty: -0,
    logit_bias: {},
    tools: [],
    tool_choice: 'none',
    functions: [],
    function_call: 'auto',
    response_format: { type: 'text' },
    modalities: ['text'],
    verbosity: 'medium',
    reasoning_effort: 'none',
    user: 'somebody',
    store: true,
    metadata: { page: '1' },
    parallel_tool_calls: true,
    service_tier: 'auto',
    prediction: { type: 'content', content: 'x' },
    safety_identifier: 'x',
    prompt_cache_key: 'x',
    stream_options: { include_obfuscation: false },
    audio: null,
    web_search_options: undefined,
    moderation: undefined,
    seed: null,
    stop: null,
    top_p: null,
    logprobs: false,
    top_logprobs: 0,
    something_of_next_year: null,
  };

  test('fields that ask for nothing change nothing', async () => {
    const plain = await create();
    const full = await create(neutral, { maxRetries: 2, headers: {} });
    expect(full.choices[0]?.message).toEqual(plain.choices[0]?.message);
    expect(full.system_fingerprint).toBe(plain.system_fingerprint);
  });

  test.each<[extra: object, says: RegExp]>([
    [{ n: 0 }, /n is 0; wanted a whole number from 1 to 128/],
    [{ presence_penalty: 2.5 }, /presence_penalty is 2\.5; wanted a number from -2 to 2/],
    [{ logit_bias: { 5: 101 } }, /logit_bias\.5 is 101; wanted a number from -100 to 100/],
    [{ logit_bias: { 4096: 1 } }, /a key of logit_bias is "4096"; wanted the id of a token, .* below 4096/],
    [{ logit_bias: new Map([[5, 1]]) }, /logit_bias is an object of class Map; wanted a plain object/],
    [{ stream_options: new Map() }, /stream_options is an object of class Map; wanted a plain object/],
    [{ tools: [{ type: 'function' }] }, /tools\[0\]\.function is undefined; wanted a plain object/],
    [{ tools: [{ type: 'x', function: {} }] }, /tools\[0\]\.type is "x"; wanted "function"/],
    [{ tools: [{ type: 'function', function: { name: 'a' } }] }, /chat template has no place for tools/],
    [{ tool_choice: 'required' }, /tool_choice is 'required' without tools/],
    [{ tool_choice: 'must' }, /tool_choice is "must"; wanted "auto" or "none" or "required"/],
    [{ reasoning_effort: 'high' }, /chat template has no variable "reasoning_effort"/],
    [{ chat_template_kwargs: [1] }, /chat_template_kwargs is a list of 1; wanted a plain object/],
    [{ chat_template_kwargs: { a: () => 1 } }, /chat_template_kwargs\.a is a function; wanted plain data/],
    [
      { chat_template_kwargs: { a: { b: new Map() } } },
      /chat_template_kwargs\.a\.b is an object of class Map/,
    ],
    [{ response_format: { type: 'responseFormat' } }, /response_format\.type is "responseFormat"; wanted/],
    [{ response_format: { type: 'json' } }, /response_format\.type is "json"; wanted "text" or /],
    [
      { response_format: { type: 'json_schema' } },
      /response_format\.json_schema is undefined; wanted an object/,
    ],
    [{ modalities: ['text', 'audio'] }, /modalities/],
    [{ temprature: 1 }, /unknown field "temprature", did you mean "temperature"\?/],
    [{ maxTokens: 5 }, /unknown field "maxTokens", did you mean "max_tokens"\?/],
    [{ constructor: 5 }, /unknown field "constructor"/],
    [{ top_p: 2 }, /top_p is 2; wanted a number from 0 to 1/],
    [{ max_tokens: 0 }, /max_tokens is 0; wanted a whole number from 1/],
    [{ temperature: '1' }, /temperature is "1"/],
    [{ stop: [''] }, /stop\[0\] is ""; wanted text of one character or more/],
    [{ stream: 'yes' }, /stream is "yes"; wanted true or false/],
    [{ stream_options: { usage: true } }, /unknown option "stream_options\.usage"/],
    [{ top_logprobs: 2 }, /top_logprobs is 2 without logprobs: true/],
    [{ logprobs: true, top_logprobs: 21 }, /top_logprobs is 21/],
    [{ messages: null }, /the request has no messages/],
    [{ messages: 'Once' }, /messages is "Once"; wanted a list/],
    [{ signal: {} }, /signal is an object; wanted an AbortSignal/],
  ])('%j is refused with a sentence', async (extra, says) => {
    const error: unknown = await create(extra).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AtomoeError);
    expect(error).toMatchObject({ code: 'bad-input', message: expect.stringMatching(says) });
  });

  test.each([undefined, null, 5, 'Once', [], new Map()])('%j is no request', async (body) => {
    const asked = engine.chat.completions.create(body as never);
    await expect(asked).rejects.toMatchObject({ name: 'AtomoeError', code: 'bad-input' });
  });

  test('the second argument is checked too', async () => {
    await expect(create({}, { timeout: 5 })).rejects.toThrow(/timeout is 5, .*AbortSignal\.timeout/);
    await expect(create({}, { signla: 5 })).rejects.toThrow(/unknown option "signla", did you mean "signal"/);
  });

  test('what is wrong with the prompt or its hooks is the first thing that a stream says', async () => {
    for (const extra of [
      { atomoe: { hooks: { all: { mask: [1] } } } },
      { messages: [{ role: 'user', content: 'a '.repeat(99) }] },
    ]) {
      const stream = (await create({ stream: true, ...extra })) as unknown as AsyncIterable<unknown>;
      await expect(stream[Symbol.asyncIterator]().next()).rejects.toBeInstanceOf(AtomoeError);
    }
  });

  test('strategies decide on the tokens, and report beside the reason', async () => {
    const plain = await create();
    const told = await create({ atomoe: { decoding: { kind: 'ngram', draft: 2 } } });
    expect(told.choices[0]?.message).toEqual(plain.choices[0]?.message);
    expect(told.choices[0]?.atomoe.decoding).toMatchObject({ strategy: 'ngram', steps: expect.any(Number) });
    await expect(create({ atomoe: { decoding: 'mgram' } })).rejects.toThrow(/^atomoe\.decoding is "mgram"/);
  });

  test('parts of text are the text that they make together', async () => {
    const content = [
      { type: 'text', text: 'Once upon' },
      { type: 'text', text: ' a time' },
    ];
    const parts = await create({ messages: [{ role: 'user', content }] });
    const plain = await create();
    expect(parts.usage).toEqual(plain.usage);
    expect(parts.choices[0]?.message).toEqual(plain.choices[0]?.message);
  });

  test('an answer can be put back as the next message', async () => {
    const first = await create();
    const next = [...messages, first.choices[0]!.message, { role: 'user', content: 'And then?' }];
    expect((await create({ messages: next })).usage.prompt_tokens).toBeGreaterThan(8);
  });
});

describe('the answer', () => {
  test('has every field of OpenAI\u2019s, its own beside them, and an id that nothing else has', async () => {
    const [answer, other] = [await create(), await create()];
    expect(answer).toEqual({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{30}$/),
      object: 'chat.completion',
      created: expect.closeTo(Date.now() / 1000, -2),
      model: engine.model?.label,
      system_fingerprint: expect.stringMatching(/^fp_[0-9a-f]{8}$/),
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: ', there was', refusal: null },
          finish_reason: 'length',
          logprobs: null,
          atomoe: { reason: 'length', seed: expect.any(Number), timings: expect.any(Object) },
        },
      ],
      usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 },
    });
    expect(other.id).not.toBe(answer.id);
  });

  test('streams the same, chunk by chunk, with the usage in a last one', async () => {
    const extra = { logprobs: true, top_logprobs: 2, stream_options: { include_usage: true } };
    const whole = await create({ ...extra, stream_options: undefined });
    const chunks = await collect(await stream(extra));
    const [first, last] = [chunks[0]!, chunks.at(-1)!];
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(first.choices[0]).toEqual({
      index: 0,
      delta: { role: 'assistant', content: '', refusal: null },
      logprobs: null,
      finish_reason: null,
    });
    expect(last).toMatchObject({ choices: [], usage: whole.usage });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    const choices = chunks.flatMap((chunk) => chunk.choices);
    expect(choices.slice(1).some(({ delta }) => 'role' in delta)).toBe(false);
    expect(choices.map(({ finish_reason: reason }) => reason).filter(Boolean)).toEqual(['length']);
    expect(choices.map(({ delta }) => delta.content ?? '').join('')).toBe(whole.choices[0]?.message.content);
    expect(choices.flatMap(({ logprobs }) => logprobs?.content ?? [])).toEqual(
      whole.choices[0]?.logprobs?.content,
    );
    expect(structuredClone(chunks)).toEqual(chunks);
  });

  test('without include_usage no chunk has a usage', async () => {
    const chunks = await collect(await stream());
    expect(chunks.some((chunk) => 'usage' in chunk)).toBe(false);
  });

  test('log probabilities come with the bytes of each token', async () => {
    const { choices } = await create({ logprobs: true, top_logprobs: 1 });
    const content = choices[0]?.logprobs?.content ?? [];
    expect(content.map(({ token }) => token)).toEqual([',', ' there', ' was']);
    for (const { token, bytes, logprob, top_logprobs: top } of content) {
      expect(bytes).toEqual([...new TextEncoder().encode(token)]);
      expect(top).toEqual([{ token, bytes, logprob }]);
    }
  });

  test('text that a stop string held back comes in the end', async () => {
    const chunks = await collect(await stream({ stop: ['was a'] }));
    const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
    expect(text).toBe(', there was');
  });
});

describe('several answers to one request', () => {
  const drawn = { n: 3, temperature: 1, seed: 7 };

  test('are those of as many requests with seeds that follow, and share one prompt', async () => {
    const answers = await create(drawn);
    const alone = await Promise.all([7, 8, 9].map((seed) => create({ ...drawn, n: 1, seed })));
    expect(answers.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(answers.choices.map(({ atomoe }) => atomoe.seed)).toEqual([7, 8, 9]);
    expect(answers.choices.map(({ message }) => message)).toEqual(
      alone.map(({ choices }) => choices[0]?.message),
    );
    expect(answers.usage).toEqual({ prompt_tokens: 5, completion_tokens: 9, total_tokens: 14 });
  });

  test('stream one after the other', async () => {
    const chunks = await collect(await stream({ ...drawn, stream_options: { include_usage: true } }));
    const whole = await create(drawn);
    const choices = chunks.flatMap((chunk) => chunk.choices);
    for (const { index, message } of whole.choices) {
      const own = choices.filter((choice) => choice.index === index);
      expect(own.map(({ delta }) => delta.content ?? '').join('')).toBe(message.content);
      expect(own.at(-1)?.finish_reason).toBe('length');
    }
    expect(choices.map(({ index }) => index)).toEqual(
      choices.map(({ index }) => index).toSorted((a, b) => a - b),
    );
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
  });
});

describe('a reply that is stopped', () => {
  const more = { max_tokens: 18 };

  test('before it began rejects with the reason of the signal, wherever the signal was given', async () => {
    const signal = AbortSignal.abort(new Error('no longer'));
    for (const ask of [create, stream]) {
      await expect(ask({ signal })).rejects.toThrow('no longer');
      await expect(ask({}, { signal })).rejects.toThrow('no longer');
    }
  });

  test('in the middle ends with what was said', async () => {
    const stop = new AbortController();
    const chunks: ChatCompletionChunk[] = [];
    for await (const chunk of await stream(more, { signal: stop.signal })) {
      chunks.push(chunk);
      if (chunks.length === 3) stop.abort();
    }
    expect(chunks.at(-1)?.choices[0]).toMatchObject({ finish_reason: 'stop', atomoe: { reason: 'abort' } });
    expect(chunks).toHaveLength(4);
  });

  test('by the controller of the stream ends too', async () => {
    const answer = await stream(more);
    let count = 0;
    for await (const _ of answer) if (++count === 2) answer.controller.abort();
    expect(count).toBe(3);
  });

  test('and that nobody reads on gives its memory back', async () => {
    const stop = new AbortController();
    const reader = (await stream(more, { signal: stop.signal }))[Symbol.asyncIterator]();
    await reader.next();
    await reader.next();
    expect(live).toBe(1);
    stop.abort();
    await vi.waitFor(() => expect(live).toBe(0));
    expect((await collect({ [Symbol.asyncIterator]: () => reader })).length).toBeGreaterThan(0);
  });

  test('by leaving the loop gives its memory back', async () => {
    for await (const chunk of await stream(more)) if (chunk.choices[0]?.delta.content === ',') break;
    expect(live).toBe(0);
  });

  test('and is read to its finish_reason only gives its memory back', async () => {
    const reader = (await stream())[Symbol.asyncIterator]();
    for (;;) {
      const { value } = await reader.next();
      if (value?.choices[0]?.finish_reason) break;
    }
    await vi.waitFor(() => expect(live).toBe(0));
  });

  test('that nobody ever reads holds no session', async () => {
    const opened = vi.spyOn(engine.runner, 'openState');
    opened.mockClear();
    const [unread, closed] = [await stream(more), await stream(more)];
    await closed[Symbol.asyncIterator]().return?.();
    unread.controller.abort();
    expect(opened).not.toHaveBeenCalled();
    expect(await collect(closed)).toEqual([]);
  });
});

describe('a session', () => {
  const start = (session = engine.session(), signal?: AbortSignal) => {
    const options = { maxTokens: 18, temperature: 0, ...(signal ? { signal } : {}) };
    return session.generate('Once upon a time', options)[Symbol.asyncIterator]();
  };
  const tell = (session = engine.session()) =>
    collect(session.generate('Once upon a time', { maxTokens: 2, temperature: 0 }));
  const last = (events: GenerateEvent[]) => events.at(-1);

  test('whose reply was aborted and is not read on can reply again', async () => {
    const session = engine.session();
    const stop = new AbortController();
    const events = start(session, stop.signal);
    for (let i = 0; i < 4; i++) await events.next();
    stop.abort();
    await vi.waitFor(() => session.reset());
    expect(last(await tell(session))).toMatchObject({ reason: 'length', text: ', there' });
    expect(await events.next()).toMatchObject({ value: { kind: 'done', reason: 'abort', text: ', there' } });
    expect((await events.next()).done).toBe(true);
    session.dispose();
  });

  test('that is disposed of gives its memory back though its reply is not read on', async () => {
    const session = engine.session();
    const events = start(session);
    for (let i = 0; i < 4; i++) await events.next();
    expect(live).toBe(1);
    session.dispose();
    await vi.waitFor(() => expect(live).toBe(0));
    await expect(events.next()).rejects.toMatchObject({ code: 'disposed' });
  });

  test('whose reply was read to the event that ends it is free', async () => {
    const session = engine.session();
    const events = session
      .generate('Once upon a time', { maxTokens: 1, temperature: 0 })
      [Symbol.asyncIterator]();
    for (;;) {
      const { value } = await events.next();
      if (value?.kind === 'done') break;
    }
    session.reset();
    expect(last(await tell(session))).toMatchObject({ reason: 'length' });
    session.dispose();
  });

  test('with a reply that was closed before it began is free', async () => {
    const session = engine.session();
    await start(session).return?.();
    expect(last(await tell(session))).toMatchObject({ reason: 'length' });
    session.dispose();
  });

  test('that nobody holds any more gives its memory back, in mid-reply or not', async () => {
    await tell();
    await (async () => {
      const events = start();
      for (let i = 0; i < 4; i++) await events.next();
    })();
    expect(live).toBe(2);
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    await vi.waitFor(
      () => {
        collectGarbage();
        expect(live).toBe(0);
      },
      { timeout: 60_000 },
    );
  });

  test('aborted before it began does no work', async () => {
    const session = engine.session();
    const opened = vi.spyOn(engine.runner, 'openState');
    opened.mockClear();
    const all = await collect({ [Symbol.asyncIterator]: () => start(session, AbortSignal.abort()) });
    expect(all).toMatchObject([{ kind: 'done', reason: 'abort', text: '' }]);
    expect(opened).not.toHaveBeenCalled();
    session.dispose();
  });

  test('reads prompt and options when it is asked, and refuses them when it is read', async () => {
    const session = engine.session();
    const options = { maxTokens: 1, temperature: 0 };
    const prompt = [{ role: 'user' as const, content: 'Once upon a time' }];
    const events = session.generate(prompt, options);
    options.maxTokens = 9;
    prompt.length = 0;
    expect(last(await collect(events))).toMatchObject({ usage: { completionTokens: 1 } });
    const wrong = session.generate(prompt, options);
    await expect(collect(wrong)).rejects.toMatchObject({ name: 'AtomoeError', code: 'bad-input' });
    session.dispose();
  });
});
