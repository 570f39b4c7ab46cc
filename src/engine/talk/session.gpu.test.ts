/** What a session promises, on the smallest trained model. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GenerateEvent, GenerateOptions, Prompt, Session } from '../api.ts';
import type { LocalEngine } from '../engine.ts';
import { openEngine, repositoryFolder } from '../testing.ts';

const PROMPT = 'Once upon a time, there was a little';
let engine: LocalEngine;

beforeAll(async () => {
  engine = await openEngine();
  await engine.load(await repositoryFolder('demo/public/models/fable-omni-8m'), { contextTokens: 48 });
});

afterAll(() => engine.dispose());

async function collect(session: Session, prompt: Prompt, options: GenerateOptions): Promise<GenerateEvent[]> {
  const events: GenerateEvent[] = [];
  for await (const event of session.generate(prompt, options)) events.push(event);
  return events;
}

function last(events: readonly GenerateEvent[]): Extract<GenerateEvent, { kind: 'done' }> {
  const event = events.at(-1);
  if (event?.kind !== 'done') throw new Error('the last event is not done');
  return event;
}

test('same seed, same text; another seed, another text', async () => {
  const tell = async (seed: number) => {
    const session = engine.session();
    const { text } = last(await collect(session, PROMPT, { seed, temperature: 1, maxTokens: 12 }));
    session.dispose();
    return text;
  };
  const first = await tell(7);
  expect(await tell(7)).toBe(first);
  expect(await tell(8)).not.toBe(first);
});

test('the text of the events is the text of the last event, and usage adds up', async () => {
  const session = engine.session();
  const events = await collect(session, PROMPT, { temperature: 0, maxTokens: 8 });
  session.dispose();
  const tokens = events.filter((event) => event.kind === 'token');
  const done = last(events);
  expect(tokens.map(({ text }) => text).join('')).toBe(done.text);
  expect(done).toMatchObject({
    reason: 'length',
    usage: { promptTokens: 10, reusedTokens: 0, completionTokens: 8 },
  });
  expect(done.timings.firstTokenMs).toBeGreaterThan(0);
});

test('a second prompt reuses the common prefix and says the same as a fresh run', async () => {
  const session = engine.session();
  const { text } = last(await collect(session, PROMPT, { temperature: 0, maxTokens: 6 }));
  const longer = `${PROMPT}${text}`;
  const reused = last(await collect(session, longer, { temperature: 0, maxTokens: 6 }));
  const fresh = last(await collect(session, longer, { temperature: 0, maxTokens: 6, reusePrefix: false }));
  session.dispose();
  expect(reused.usage.reusedTokens).toBeGreaterThan(10);
  expect(fresh.usage.reusedTokens).toBe(0);
  expect(reused.text).toBe(fresh.text);
});

test('a stop string ends the reply and never shows', async () => {
  const session = engine.session();
  const whole = last(await collect(session, PROMPT, { temperature: 0, maxTokens: 12 })).text;
  const stop = whole.slice(8, 13);
  const stopped = last(await collect(session, PROMPT, { temperature: 0, maxTokens: 12, stop: [stop] }));
  session.dispose();
  expect(stopped).toMatchObject({ reason: 'stop', text: whole.slice(0, whole.indexOf(stop)) });
});

test('running out of context ends with reason length', async () => {
  const session = engine.session();
  const done = last(await collect(session, PROMPT, { temperature: 1, seed: 1, maxTokens: 100, stop: [] }));
  expect(done.reason).toBe('length');
  expect(session.tokens).toBe(48);
  expect(done.usage.promptTokens + done.usage.completionTokens).toBe(49); // the last token needs no place
  session.dispose();
});

test('log probabilities come with alternatives, best first', async () => {
  const session = engine.session();
  const events = await collect(session, PROMPT, { temperature: 0, maxTokens: 2, logprobs: 3 });
  session.dispose();
  for (const event of events) {
    if (event.kind !== 'token') continue;
    expect(event.alternatives).toHaveLength(3);
    expect(event.alternatives?.[0]).toMatchObject({ id: event.id, logprob: event.logprob });
    const sum = event.alternatives?.reduce((total, { logprob }) => total + Math.exp(logprob), 0);
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThanOrEqual(1);
  }
});

test('a repetition penalty changes the text the same way every time', async () => {
  const tell = async (repetitionPenalty: number) => {
    const session = engine.session();
    const { text } = last(
      await collect(session, PROMPT, { temperature: 0, maxTokens: 16, repetitionPenalty }),
    );
    session.dispose();
    return text;
  };
  const strict = await tell(3);
  expect(strict).not.toBe(await tell(1));
  expect(await tell(3)).toBe(strict);
});

test('routes tell which experts made each token', async () => {
  const session = engine.session();
  const events = await collect(session, PROMPT, { temperature: 0, maxTokens: 2, routes: true });
  session.dispose();
  for (const event of events) {
    if (event.kind !== 'token') continue;
    expect(event.routes?.ids).toHaveLength(4);
    for (const ids of event.routes?.ids ?? []) expect(new Set(ids).size).toBe(32);
    for (const weights of event.routes?.weights ?? []) {
      expect(weights).toEqual([...weights].sort((a, b) => b - a));
    }
  }
});

test('an abort ends the reply with what was said; the session goes on', async () => {
  const session = engine.session();
  const abort = new AbortController();
  const events: GenerateEvent[] = [];
  for await (const event of session.generate(PROMPT, {
    temperature: 0,
    maxTokens: 30,
    signal: abort.signal,
  })) {
    events.push(event);
    if (event.kind === 'token') abort.abort();
  }
  expect(last(events)).toMatchObject({ reason: 'abort', usage: { completionTokens: 1 } });
  const after = last(await collect(session, PROMPT, { temperature: 0, maxTokens: 2 }));
  expect(after.reason).toBe('length');
  session.dispose();
});

test('leaving the loop frees the session; a busy one says so', async () => {
  const session = engine.session();
  for await (const event of session.generate(PROMPT, { temperature: 0 })) {
    if (event.kind !== 'token') continue;
    await expect(collect(session, PROMPT, {})).rejects.toMatchObject({ code: 'busy' });
    break;
  }
  expect(last(await collect(session, PROMPT, { temperature: 0, maxTokens: 1 })).reason).toBe('length');
  session.dispose();
});

test('two sessions take turns and do not disturb each other', async () => {
  const alone = engine.session();
  const want = last(await collect(alone, PROMPT, { temperature: 0, maxTokens: 6 })).text;
  alone.dispose();
  const [first, second] = [engine.session(), engine.session()];
  const texts = await Promise.all([
    collect(first, PROMPT, { temperature: 0, maxTokens: 6 }),
    collect(second, 'The dog', { temperature: 0, maxTokens: 6 }),
  ]);
  expect(last(texts[0]).text).toBe(want);
  expect(last(texts[1]).text).not.toBe(want);
  first.dispose();
  second.dispose();
});

test('disposing in mid-reply is safe and says so', async () => {
  const session = engine.session();
  const run = async () => {
    for await (const event of session.generate(PROMPT, { temperature: 0 })) {
      if (event.kind === 'token') session.dispose();
    }
  };
  await expect(run()).rejects.toMatchObject({ code: 'disposed' });
  await expect(collect(session, PROMPT, {})).rejects.toMatchObject({ code: 'disposed' });
});

test.each([
  ['', {}, 'bad-input', /prompt is empty/],
  ['word '.repeat(200), {}, 'context-full', /context holds 48/],
  [PROMPT, { temperature: -1 }, 'bad-input', /temperature is -1; wanted a number from 0 to 10/],
  [PROMPT, { topP: 1.5 }, 'bad-input', /topP is 1.5/],
  [PROMPT, { stop: [''] }, 'bad-input', /stop/],
  [PROMPT, { tempreature: 1 } as GenerateOptions, 'bad-input', /unknown option "tempreature"/],
] as const)('prompt %j with %o is refused', async (prompt, options, code, message) => {
  const session = engine.session();
  const failing = collect(session, prompt, options as GenerateOptions);
  await expect(failing).rejects.toMatchObject({ name: 'AtomoeError', code });
  await expect(failing).rejects.toThrow(message);
  session.dispose();
});

test('the OpenAI shape: whole and streamed', async () => {
  const messages = [{ role: 'user', content: PROMPT }] as const;
  const request = { messages, temperature: 0, max_tokens: 4 };
  const whole = await engine.chat.completions.create(request);
  expect(whole).toMatchObject({
    object: 'chat.completion',
    choices: [{ finish_reason: 'length', message: { role: 'assistant' } }],
    usage: { completion_tokens: 4 },
  });
  const stream = await engine.chat.completions.create({
    ...request,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = '';
  let usage: unknown;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    usage = chunk.usage ?? usage;
  }
  expect(text).toBe(whole.choices[0]?.message.content);
  expect(usage).toEqual(whole.usage);
});
