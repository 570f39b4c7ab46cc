/**
 * LangChain's model for OpenAI talks to the engine, as docs/CLIENTS.md shows.
 *
 * @module-tag full
 */
import { resolve } from 'node:path';
import type * as LangChain from '@langchain/openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEngine, type Engine } from '../../src/engine/index.ts';
import { nodeFolder } from '../../src/io/node-file.ts';
import { openaiFetch } from '../../src/openai/index.ts';

let engine: Engine;
let model: LangChain.ChatOpenAI;

beforeAll(async () => {
  const name = '@langchain/openai';
  const { ChatOpenAI } = (await import(/* @vite-ignore */ name).catch((cause: unknown) => {
    throw new Error(`${name} is not installed: run npm install in e2e/clients`, { cause });
  })) as typeof LangChain;
  const folder = await nodeFolder(resolve(import.meta.dirname, '../../demo/public/models/fable-omni-8m'));
  engine = await createEngine({ device: 'cpu', model: folder });
  const configuration = { baseURL: 'http://localhost/v1', fetch: openaiFetch(engine) };
  model = new ChatOpenAI({ model: 'any', apiKey: 'none', temperature: 0, maxTokens: 40, configuration });
});

afterAll(() => engine.dispose());

test('it streams', async () => {
  let text = '';
  let count = 0;
  for await (const { content } of await model.stream('Once upon a time')) {
    text += String(content);
    count += 1;
  }
  expect(text).toMatch(/^, there was a little/);
  expect(count).toBeGreaterThan(10);
});

test('it gives objects of a schema', async () => {
  const animal = {
    ...{ title: 'animal', type: 'object', required: ['kind'], additionalProperties: false },
    properties: { kind: { enum: ['fox', 'owl'] } },
  };
  const shaped = model.withStructuredOutput(animal, { method: 'jsonSchema' });
  expect(await shaped.invoke('An animal:')).toEqual({ kind: expect.toBeOneOf(['fox', 'owl']) });
});
