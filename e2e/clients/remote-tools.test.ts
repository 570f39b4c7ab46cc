/**
 * Tools of OpenAI's own client through `withRemote`: `atomoe serve` in another process calls them, and a small server that cuts its
 * stream as llama.cpp and vLLM do, and at odd bytes.
 *
 * @module-tag full
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import type OpenAI from 'openai';
import type { ChatCompletionMessageParam, ChatCompletionTool } from 'openai/resources/chat/completions';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngine, type Engine } from '../../src/engine/index.ts';
import { CONTEXT, publishedTemplate, templatedModel } from '../../src/engine/talk/templated.testing.ts';
import { openaiFetch, withRemote } from '../../src/openai/index.ts';

const root = resolve(import.meta.dirname, '../..');

let Client: typeof OpenAI;
let engine: Engine; // never asked

beforeAll(async () => {
  const name = 'openai';
  ({ OpenAI: Client } = (await import(/* @vite-ignore */ name)) as { OpenAI: typeof OpenAI });
  engine = await createEngine({ device: 'cpu' });
});

afterAll(() => engine.dispose());

function clientOf(baseURL: string): OpenAI {
  const remote = withRemote(engine, { baseURL, model: 'far', use: 'always', confirm: () => true });
  const local = { apiKey: 'none', baseURL: 'http://localhost/v1', maxRetries: 0 };
  return new Client({ ...local, fetch: openaiFetch(remote) });
}

const tool = (name: string, properties: object): ChatCompletionTool => ({
  type: 'function',
  function: {
    name,
    description: name,
    parameters: { type: 'object', properties, required: Object.keys(properties) },
  },
});

const tools = [tool('rain', { at: { enum: ['Ulm', 'Bonn'] } }), tool('wait', { hours: { enum: [1, 2] } })];

/** The calls of a message, with their arguments read. */
function callsOf(message: { tool_calls?: readonly object[] | null | undefined } | undefined) {
  return (message?.tool_calls ?? []).map((call) => {
    const { id, function: called } = call as { id: string; function: { name: string; arguments: string } };
    return { id, name: called.name, given: JSON.parse(called.arguments) as unknown };
  });
}

const resultsOf = (message: Parameters<typeof callsOf>[0]): ChatCompletionMessageParam[] =>
  callsOf(message).map(({ id, name }) => ({ role: 'tool', tool_call_id: id, content: `${name}: yes` }));

describe('atomoe serve in another process', () => {
  let server: ChildProcess;
  let folder: string;
  let client: OpenAI;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'atomoe-tools-'));
    const model = await templatedModel(publishedTemplate('Qwen-Qwen3-0.6B'));
    for (const name of ['chat_template.jinja', 'config.json', 'tokenizer.json']) {
      const file = await model.open(name);
      if (!file) throw new Error(`the templated model has no ${name}`);
      await writeFile(join(folder, name), await file.read(0, file.sizeBytes));
    }
    for (const name of ['model.safetensors', 'tokenizer_config.json']) {
      await copyFile(join(root, 'demo/public/models/fable-omni-8m', name), join(folder, name));
    }
    const args = ['serve', folder, '--device', 'cpu', '--port', '0', '--context', String(CONTEXT)];
    server = spawn(process.execPath, [resolve(root, 'bin/atomoe.js'), ...args], { cwd: root });
    const [url] = (await once(server.stdout!, 'data')) as [Buffer];
    client = clientOf(String(url).trim());
  }, 120_000);

  afterAll(async () => {
    server.kill('SIGINT');
    await rm(folder, { recursive: true });
  });

  const asked = {
    model: 'any',
    messages: [{ role: 'user' as const, content: 'Does it rain?' }],
    tools,
    parallel_tool_calls: false,
    ...{ temperature: 1, max_tokens: 200, seed: 3 },
  };

  test('a call is the same whole and streamed, and its result goes back', async () => {
    const required = { ...asked, tool_choice: 'required' as const };
    const whole = await client.chat.completions.create(required);
    expect(whole).toMatchObject({ ranOn: 'remote', choices: [{ finish_reason: 'tool_calls' }] });
    const stream = client.chat.completions.stream({ ...required, stream_options: { include_usage: true } });
    const streamed = await stream.finalChatCompletion();
    const { message, finish_reason: reason } = streamed.choices[0]!;
    expect(reason).toBe('tool_calls');
    const [call] = callsOf(message);
    expect([call?.name, call?.given]).toEqual(
      callsOf(whole.choices[0]?.message).flatMap(({ name, given }) => [name, given]),
    );
    expect(call?.given).toEqual(
      call?.name === 'rain' ? { at: expect.toBeOneOf(['Ulm', 'Bonn']) } : { hours: expect.toBeOneOf([1, 2]) },
    );
    const read = async (messages: ChatCompletionMessageParam[]) => {
      const none = { ...asked, messages, tool_choice: 'none' as const, max_tokens: 2 };
      const { choices, usage } = await client.chat.completions.create(none);
      expect(choices[0]?.message.tool_calls).toBeUndefined();
      return usage?.prompt_tokens ?? 0;
    };
    const alone = await read(asked.messages);
    const called = await read([...asked.messages, message]);
    const answered = await read([...asked.messages, message, ...resultsOf(message)]);
    expect([called - alone > 10, answered - called > 4]).toEqual([true, true]);
  });

  test.each(['rain', 'wait'])('tool_choice chooses %s', async (name) => {
    const choice = { type: 'function', function: { name } } as const;
    const stream = client.chat.completions.stream({ ...asked, tool_choice: choice });
    const { choices } = await stream.finalChatCompletion();
    expect(callsOf(choices[0]?.message).map((call) => call.name)).toEqual([name]);
  });

  test('each of two replies has its calls, and its end', async () => {
    const stream = client.chat.completions.stream({ ...asked, tool_choice: 'required', n: 2 });
    const { choices } = await stream.finalChatCompletion();
    expect(choices.map(({ index, finish_reason: reason }) => [index, reason])).toEqual([
      [0, 'tool_calls'],
      [1, 'tool_calls'],
    ]);
    for (const { message } of choices) expect(callsOf(message)).toHaveLength(1);
  });
});

type Delta = Readonly<Record<string, unknown>>;

/** What a server streams before the end: a call in pieces, as this kind of server cuts it. */
interface Manner {
  readonly deltas: readonly Delta[];
  readonly reason: string;
  readonly last: readonly object[]; // chunks behind the end
}

const piece = (index: number, call: object): Delta => ({ tool_calls: [{ index, ...call }] });
const given = (index: number, text: string): Delta => piece(index, { function: { arguments: text } });

const MANNERS: Readonly<Record<string, Manner>> = {
  'llama.cpp': {
    deltas: [
      { role: 'assistant', content: null },
      piece(0, { id: 'k3', type: 'function', function: { name: 'rain', arguments: '' } }),
      ...['{"', 'at', '":', '"K', '\u00f6', 'ln', '"}'].map((text) => given(0, text)),
      piece(1, { id: 'k4', type: 'function', function: { name: 'wait', arguments: '{' } }),
      ...['"hours"', ':2', '}'].map((text) => given(1, text)),
    ],
    reason: 'tool_calls',
    last: [{ choices: [], usage: { prompt_tokens: 9, completion_tokens: 9, total_tokens: 18 }, timings: {} }],
  },
  vLLM: {
    deltas: [
      { role: 'assistant', content: '', reasoning_content: null },
      { reasoning_content: 'Rain?' },
      piece(0, { id: 'k3', type: 'function', function: { name: 'rain' } }),
      given(0, '{"at": "'),
      given(0, 'K\u00f6ln"}'),
      {
        tool_calls: [
          { index: 1, id: 'k4', type: 'function', function: { name: 'wait', arguments: '{"hours": ' } },
        ],
      },
      given(1, '2}'),
    ],
    reason: 'tool_calls',
    last: [],
  },
  'a server without finish_reason': {
    deltas: [
      piece(0, { id: 'k3', type: 'function', function: { name: 'rain', arguments: '{"at":"K\u00f6ln"}' } }),
      piece(1, { id: 'k4', type: 'function', function: { name: 'wait', arguments: '{"hours":2}' } }),
    ],
    reason: '',
    last: [],
  },
};

describe.each(Object.entries(MANNERS))('%s', (_, manner) => {
  let server: Server;
  let client: OpenAI;
  const bodies: Record<string, unknown>[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => void answer(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    client = clientOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
  });

  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  /** Calls the tools, and says that it has read the results where there are some. */
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = JSON.parse(await textOf(request)) as Record<string, unknown>;
    bodies.push(body);
    const { messages } = body as { messages: { role: string }[] };
    const hasResults = messages.some(({ role }) => role === 'tool');
    const chunk = (delta: Delta, reason: string | null = null) => ({
      ...{ id: 'a', object: 'chat.completion.chunk', created: 1, model: 'far' },
      choices: [{ index: 0, delta, finish_reason: reason || null }],
    });
    const chunks = hasResults
      ? [chunk({ role: 'assistant', content: 'It rains.' }), chunk({}, 'stop')]
      : [...manner.deltas.map((delta) => chunk(delta)), chunk({}, manner.reason), ...manner.last];
    const text = [...chunks.map((each) => JSON.stringify(each)), '[DONE]'].map((data) => `data: ${data}\n\n`);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const bytes = new TextEncoder().encode(text.join(''));
    const PIECE = 37; // bytes: no multiple of anything in the stream
    for (let at = 0; at < bytes.length; at += PIECE) {
      response.write(bytes.subarray(at, at + PIECE));
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  }

  const messages: ChatCompletionMessageParam[] = [{ role: 'user', content: 'Does it rain?' }];
  const choice = { type: 'function', function: { name: 'rain' } } as const;

  test('arguments come together, and results go back as turns', async () => {
    const calls = new Map<number, { id: string; name: string; text: string }>();
    const asked = { model: 'any', tools, tool_choice: choice, stream: true } as const;
    for await (const { choices } of await client.chat.completions.create({ ...asked, messages })) {
      for (const { index, id = '', function: called } of choices[0]?.delta.tool_calls ?? []) {
        const before = calls.get(index) ?? { id, name: called?.name ?? '', text: '' };
        calls.set(index, { ...before, text: before.text + (called?.arguments ?? '') });
      }
    }
    expect([...calls.values()].map(({ id, name, text }) => [id, name, JSON.parse(text)])).toEqual([
      ['k3', 'rain', { at: 'K\u00f6ln' }],
      ['k4', 'wait', { hours: 2 }],
    ]);
    expect(bodies.at(-1)).toMatchObject({ model: 'far', tools, tool_choice: choice });
    if (!manner.reason) return; // the client's own helpers want one
    const { message } = (await client.chat.completions.stream({ ...asked, messages }).finalChatCompletion())
      .choices[0]!;
    expect(callsOf(message)).toEqual([
      { id: 'k3', name: 'rain', given: { at: 'K\u00f6ln' } },
      { id: 'k4', name: 'wait', given: { hours: 2 } },
    ]);
    const results = resultsOf(message);
    const next = await client.chat.completions
      .stream({ model: 'any', tools, messages: [...messages, message, ...results] })
      .finalContent();
    expect(next).toBe('It rains.');
    const sent = bodies.at(-1) as { messages: object[] };
    expect(sent.messages.slice(-2)).toEqual(results);
    expect(sent.messages.at(-3)).toMatchObject({ role: 'assistant', tool_calls: message.tool_calls });
  });
});

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}
