/** Calls that a reply has to make, in the ways of several families: on the CPU, with a story model that was taught none of them. */
import { afterEach, expect, test } from 'vitest';
import type { ChatTool, GenerateEvent } from '../api.ts';
import { LocalEngine } from '../engine.ts';
import { CONTEXT, publishedTemplate as published, templatedModel } from './templated.testing.ts';

const plain = (sign: string) => `{{ '${sign}' if tools else '' }}{{ messages[0].content }}`;

let engine: LocalEngine | undefined;
afterEach(() => engine?.dispose());

async function openWith(...given: Parameters<typeof templatedModel>): Promise<LocalEngine> {
  engine = await LocalEngine.open({ device: 'cpu' });
  await engine.load(await templatedModel(...given), { contextTokens: CONTEXT });
  return engine;
}

const tool = (name: string, properties: object): ChatTool => ({
  type: 'function',
  function: {
    name,
    description: name,
    parameters: { type: 'object', properties, required: Object.keys(properties) },
  },
});

test.each([
  ['gpt-oss', published('openai-gpt-oss-120b')],
  ['Granite 3', published('ibm-granite-granite-3.3-2B-Instruct')],
  ['Mistral', plain('[TOOL_CALLS]')],
  ['Mistral since 2025', plain('[TOOL_CALLS][ARGS]')],
  ['Kimi', plain('<|tool_calls_section_begin|>')],
  ['DeepSeek-V3', plain('<｜tool▁calls▁begin｜>```json')],
  ['Llama', plain('ipython')],
])('%s', async (_name, template) => {
  const chat = await openWith(template);
  const tools = [tool('rain', { at: { enum: ['Ulm', 'Bonn'] } }), tool('wait', { hours: { enum: [1, 2] } })];
  const session = chat.session();
  const choice = { tools, toolChoice: 'required', parallelToolCalls: false } as const;
  const options = { ...choice, temperature: 1, maxTokens: 300, seed: 7 };
  let done: GenerateEvent | undefined;
  for await (const event of session.generate([{ role: 'user', content: 'Rain?' }], options)) done = event;
  if (done?.kind !== 'done') throw new Error('the last event is not done');
  const { toolCalls = [], text, reason } = done;
  expect([text, reason]).toEqual(['', 'stop']);
  expect(toolCalls).toHaveLength(1);
  for (const { function: call } of toolCalls) {
    expect(JSON.parse(call.arguments)).toEqual(
      call.name === 'rain' ? { at: expect.toBeOneOf(['Ulm', 'Bonn']) } : { hours: expect.toBeOneOf([1, 2]) },
    );
  }
});

test.each([
  ['what ends a call', [0]],
  ['what ends a reply, too', [0, 4095]],
])('control tokens of the model mark a call; the last one is %s', async (_, ends) => {
  const special = ['<|start|>', '<|message|>', '<|channel|>', '<|call|>'];
  const chat = await openWith(published('openai-gpt-oss-120b'), { special, ends });
  const tools = [tool('rain', { at: { enum: ['Ulm', 'Bonn'] } })];
  const session = chat.session();
  const ids = new Set<number>();
  let done: GenerateEvent | undefined;
  const logitBias = Object.fromEntries(special.map((_, at) => [4096 - special.length + at, 100]));
  const options = {
    tools,
    toolChoice: 'required',
    parallelToolCalls: false,
    maxTokens: 300,
    seed: 7,
  } as const;
  const prompt = [{ role: 'user', content: 'Rain?' }] as const;
  for await (const event of session.generate(prompt, { ...options, logitBias })) {
    if (event.kind === 'token') ids.add(event.id);
    done = event;
  }
  if (done?.kind !== 'done') throw new Error('the last event is not done');
  expect(done.toolCalls).toMatchObject([{ function: { name: 'rain' } }]);
  expect(done.reason).toBe('stop');
  expect(ids).toContain(4093); // <|message|>
  expect(ids.has(4095)).toBe(ends.length === 1); // an end of the reply is not shown
});
