/**
 * OpenAI's own client talks to the engine: its requests are answered as they are, and it reads the answers. `openaiFetch`
 * stands for the server, so nothing is sent anywhere.
 *
 * @module-tag full
 */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import process from 'node:process';
import type OpenAI from 'openai';
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngine, type Engine } from '../../src/engine/index.ts';
import { nodeFolder } from '../../src/io/node-file.ts';
import { openaiFetch } from '../../src/openai/index.ts';

const root = resolve(import.meta.dirname, '../..');

let engine: Engine;
let client: OpenAI;

/** A package of this folder's package.json. */
async function officialClient(): Promise<typeof OpenAI> {
  const name = 'openai';
  const found = await import(/* @vite-ignore */ name).catch((cause: unknown) => {
    throw new Error('openai is not installed: run npm install in e2e/clients', { cause });
  });
  return (found as { OpenAI: typeof OpenAI }).OpenAI;
}

beforeAll(async () => {
  const Client = await officialClient();
  const model = await nodeFolder(resolve(root, 'demo/public/models/fable-omni-8m'));
  engine = await createEngine({ device: 'cpu', model, contextTokens: 64 });
  client = new Client({
    apiKey: 'none',
    baseURL: 'http://localhost/v1',
    maxRetries: 0,
    fetch: openaiFetch(engine),
  });
});
afterAll(() => engine.dispose());

const request = {
  model: 'gpt-4o',
  messages: [{ role: 'user' as const, content: 'Once upon a time' }],
  temperature: 0,
  max_tokens: 4,
};

test('the types of the client take what the engine returns, and give what it takes', () => {
  const compiler = resolve(root, 'node_modules/typescript/bin/tsc');
  const args = [compiler, '--noEmit', '-p', import.meta.dirname];
  const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(stdout).toBe('');
  expect(status).toBe(0);
});

test('a conversation of several turns, in parts and with everything that clients add', async () => {
  const history: ChatCompletionMessageParam[] = [
    { role: 'developer', content: 'Tell a story.' },
    { role: 'user', content: [{ type: 'text', text: 'Once upon a time' }], name: 'Ann' },
  ];
  for (let turn = 0; turn < 3; turn++) {
    const { choices, usage } = await client.chat.completions.create({
      ...request,
      messages: history,
      n: 1,
      user: 'ann',
      store: false,
      tools: [],
      tool_choice: 'none',
      response_format: { type: 'text' },
      presence_penalty: 0,
      frequency_penalty: null,
      logit_bias: {},
      metadata: { page: 'story' },
    });
    const [choice] = choices;
    expect(choice).toMatchObject({ finish_reason: 'length', message: { role: 'assistant', refusal: null } });
    expect(usage?.completion_tokens).toBe(4);
    history.push(choice?.message as ChatCompletionMessageParam, { role: 'user', content: 'And then?' });
  }
});

test('its stream helper puts the chunks together to the whole answer', async () => {
  const extra = { logprobs: true, top_logprobs: 2 };
  const whole = await client.chat.completions.create({ ...request, ...extra });
  const stream = client.chat.completions.stream({
    ...request,
    ...extra,
    stream_options: { include_usage: true },
  });
  const said: string[] = [];
  stream.on('content', (delta) => said.push(delta));
  const final = await stream.finalChatCompletion();
  expect(said.join('')).toBe(whole.choices[0]?.message.content);
  expect(final.choices[0]?.message).toMatchObject({ role: 'assistant', content: said.join('') });
  expect(final.choices[0]?.logprobs?.content).toEqual(whole.choices[0]?.logprobs?.content);
  expect(final.choices[0]?.finish_reason).toBe('length');
  expect(final.usage).toEqual(whole.usage);
});

test('a loop over its stream may be left, and its signal ends one', async () => {
  const long = { ...request, max_tokens: 40, stream: true as const };
  for await (const chunk of await client.chat.completions.create(long)) {
    if (chunk.choices[0]?.delta.content) break;
  }
  const stop = new AbortController();
  let count = 0;
  for await (const _ of await client.chat.completions.create(long, { signal: stop.signal })) {
    if (++count === 2) stop.abort();
  }
  expect(count).toBeLessThan(10);
});

describe('completions of texts', () => {
  const asked = { model: 'any', prompt: 'Once upon a time', temperature: 0, max_tokens: 4 };

  test('go on with a text, or with several', async () => {
    const { choices, usage } = await client.completions.create({ ...asked, seed: 1, n: 1, user: 'ann' });
    expect(choices).toMatchObject([{ index: 0, text: ', there was a', finish_reason: 'length' }]);
    expect(usage).toEqual({ prompt_tokens: 5, completion_tokens: 4, total_tokens: 9 });
    const ids = await engine.tokenize(asked.prompt);
    const several = await client.completions.create({ ...asked, prompt: [ids, ids] });
    expect(several.choices.map(({ text }) => text)).toEqual([', there was a', ', there was a']);
  });

  test('stream, with an echo, log-probabilities and the usage', async () => {
    const extra = { echo: true, logprobs: 2, stream: true, stream_options: { include_usage: true } } as const;
    let text = '';
    const tokens: string[] = [];
    let total = 0;
    for await (const { choices, usage } of await client.completions.create({ ...asked, ...extra })) {
      text += choices[0]?.text ?? '';
      tokens.push(...(choices[0]?.logprobs?.tokens ?? []));
      total = usage?.total_tokens ?? total;
    }
    expect(text).toBe('Once upon a time, there was a');
    expect(tokens.join('')).toBe(text);
    expect(total).toBe(9);
  });

  test('end with the signal, and say what they cannot do', async () => {
    const stop = new AbortController();
    const long = { ...asked, max_tokens: 40, stream: true } as const;
    let count = 0;
    for await (const _ of await client.completions.create(long, { signal: stop.signal })) {
      if (++count === 2) stop.abort();
    }
    expect(count).toBeLessThan(10);
    await expect(client.completions.create({ ...asked, suffix: 'the end' })).rejects.toMatchObject({
      status: 400,
      code: 'bad-input',
      message: expect.stringMatching(/suffix is "the end", but this engine writes what follows a text/),
    });
  });
});

test('answers of a schema parse, and there may be several', async () => {
  const schema = {
    type: 'object',
    properties: { kind: { enum: ['fox', 'owl'] }, wild: { type: 'boolean' } },
    required: ['kind', 'wild'],
    additionalProperties: false,
  };
  const { choices } = await client.chat.completions.parse({
    ...request,
    ...{ n: 2, temperature: 1, seed: 1, max_tokens: 50 },
    response_format: { type: 'json_schema', json_schema: { name: 'animal', strict: true, schema } },
  });
  expect(choices.map(({ index }) => index)).toEqual([0, 1]);
  for (const { message } of choices) {
    expect(JSON.parse(message.content ?? '')).toEqual({
      kind: expect.toBeOneOf(['fox', 'owl']),
      wild: expect.any(Boolean),
    });
  }
});

test('what the engine cannot do is an error of the client\u2019s, with the sentence', async () => {
  const tools = [{ type: 'function' as const, function: { name: 'weather' } }];
  await expect(client.chat.completions.create({ ...request, tools })).rejects.toMatchObject({
    status: 400,
    code: 'bad-input',
    message: expect.stringMatching(
      /chat template has no place for tools; wanted a model that was trained to call tools/,
    ),
  });
});

test('there are no embeddings of a model that was not trained for them', async () => {
  await expect(client.embeddings.create({ model: 'any', input: 'a fox' })).rejects.toMatchObject({
    status: 400,
    code: 'unsupported-model',
    message: expect.stringMatching(/was not trained to embed texts; wanted a model for embeddings/),
  });
});

test('the model that is loaded is listed, and another one is not found', async () => {
  const { data } = await client.models.list();
  expect(data.map(({ id }) => id)).toEqual([engine.model?.label]);
  await expect(client.models.retrieve(data[0]?.id ?? '')).resolves.toMatchObject({ object: 'model' });
  await expect(client.models.retrieve('gpt-4o')).rejects.toMatchObject({
    status: 404,
    code: 'model_not_found',
  });
});
