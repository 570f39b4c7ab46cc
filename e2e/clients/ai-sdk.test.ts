/**
 * The AI SDK talks to the engine: text, streams, objects of a schema, tools, an abort. Its functions are those of its own
 * guides. A model of one's own answers on the CPU; the story model with a published chat template calls tools.
 *
 * @module-tag full
 */
import { resolve } from 'node:path';
import type * as SDK from 'ai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { atomoe } from '../../src/ai-sdk/index.ts';
import { createEngine, type Engine } from '../../src/engine/index.ts';
import { CONTEXT, publishedTemplate, templatedModel } from '../../src/engine/talk/templated.testing.ts';
import { nodeFolder } from '../../src/io/node-file.ts';

const root = resolve(import.meta.dirname, '../..');
const MODEL = resolve(root, 'demo/public/models/fable-omni-8m');

let sdk: typeof SDK;
let engine: Engine;
let chat: Engine; // has a chat template with tools

/** A package of this folder's package.json. */
async function installed<T>(name: string): Promise<T> {
  return (await import(/* @vite-ignore */ name).catch((cause: unknown) => {
    throw new Error(`${name} is not installed: run npm install in e2e/clients`, { cause });
  })) as T;
}

beforeAll(async () => {
  sdk = await installed<typeof SDK>('ai');
  engine = await createEngine({ device: 'cpu', model: await nodeFolder(MODEL), contextTokens: 200 });
  chat = await createEngine({
    device: 'cpu',
    model: await templatedModel(publishedTemplate('Qwen-Qwen3-0.6B')),
    contextTokens: CONTEXT,
  });
});

afterAll(() => {
  engine.dispose();
  chat.dispose();
});

const schema = () =>
  sdk.jsonSchema<{ kind: string; wild: boolean }>({
    type: 'object',
    properties: { kind: { type: 'string', enum: ['fox', 'owl'] }, wild: { type: 'boolean' } },
    required: ['kind', 'wild'],
    additionalProperties: false,
  });

test('generateText and streamText tell the same, with usage and the reason of the end', async () => {
  const request = {
    ...{ model: atomoe(engine), prompt: 'Once upon a time', temperature: 0, maxOutputTokens: 12 },
    maxRetries: 0,
  };
  const whole = await sdk.generateText(request);
  const streamed = sdk.streamText(request);
  const said: string[] = [];
  for await (const delta of streamed.textStream) said.push(delta);
  expect(said.join('')).toBe(whole.text);
  expect(said.length).toBeGreaterThan(3);
  expect(await streamed.finishReason).toBe('length');
  expect(whole.usage).toMatchObject({ inputTokens: 5, outputTokens: 12 });
  expect(await streamed.usage).toEqual(whole.usage);
});

test('objects have their schema, whole and streamed', async () => {
  const output = sdk.Output.object({ schema: schema() });
  const wanted = { kind: expect.toBeOneOf(['fox', 'owl']), wild: expect.any(Boolean) };
  const request = {
    ...{ model: atomoe(engine), prompt: 'An animal:', output },
    maxOutputTokens: 60,
    seed: 2,
  };
  expect((await sdk.generateText(request)).output).toEqual(wanted);
  const streamed = sdk.streamText(request);
  let last: unknown;
  for await (const partial of streamed.partialOutputStream) last = partial;
  expect(last).toEqual(wanted);
});

test('a tool that has to be called is run, and its result goes into the next step', async () => {
  const asked: unknown[] = [];
  const rain = sdk.tool({
    description: 'Whether it rains',
    inputSchema: sdk.jsonSchema<{ at: string }>({
      type: 'object',
      properties: { at: { type: 'string', enum: ['Ulm', 'Bonn'] } },
      required: ['at'],
    }),
    execute: async (input) => {
      asked.push(input);
      return { rain: true };
    },
  });
  const { steps } = await sdk.generateText({
    model: atomoe(chat),
    prompt: 'Does it rain?',
    tools: { rain },
    toolChoice: 'required',
    stopWhen: sdk.stepCountIs(2),
    maxOutputTokens: 120,
    seed: 3,
    providerOptions: {
      atomoe: { parallel_tool_calls: false, chat_template_kwargs: { enable_thinking: false } },
    },
  });
  expect(steps).toHaveLength(2);
  expect(steps[0]?.finishReason).toBe('tool-calls');
  expect(steps[0]?.toolResults[0]).toMatchObject({ toolName: 'rain', output: { rain: true } });
  expect(asked[0]).toEqual({ at: expect.toBeOneOf(['Ulm', 'Bonn']) });
  expect(steps[1]?.usage.inputTokens).toBeGreaterThan(steps[0]?.usage.inputTokens ?? Infinity);
});

test('an abort ends a stream, and the engine answers again', async () => {
  const stop = new AbortController();
  const request = { model: atomoe(engine), prompt: 'Once' };
  const streamed = sdk.streamText({ ...request, maxOutputTokens: 150, abortSignal: stop.signal });
  let count = 0;
  for await (const _ of streamed.textStream) if (++count === 3) stop.abort();
  expect(count).toBeLessThan(20);
  const { text } = await sdk.generateText({ ...request, maxOutputTokens: 3 });
  expect(text).not.toBe('');
});

test('what the engine cannot do is an error with its sentence', async () => {
  const file = { type: 'file', mediaType: 'image/png', data: new Uint8Array(3) } as const;
  const asked = sdk.generateText({
    model: atomoe(engine),
    messages: [{ role: 'user', content: [file] }],
    maxRetries: 0,
  });
  await expect(asked).rejects.toThrow(/a message has a file \(image\/png\); wanted text/);
});
