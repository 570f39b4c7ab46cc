/** Thoughts, tools and switches of a chat, through an engine whose tokens follow a script: on the CPU, with published templates. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { openTokenizer, type Tokenizer } from '../../text/tokenizer.ts';
import type { ChatCompletionChunk, ChatTool, GenerateEvent, GenerateOptions, Prompt } from '../api.ts';
import { LocalEngine } from '../engine.ts';
import {
  CONTEXT,
  publishedTemplate as published,
  templatedModel,
  tokenizerWith,
} from './templated.testing.ts';

const QWEN3 = published('Qwen-Qwen3-0.6B');
const GPT_OSS = published('openai-gpt-oss-120b');
const SPECIAL = ['<|start|>', '<|end|>', '<|message|>', '<|channel|>'];
const END = 0; // <|endoftext|>

const CALL = '<tool_call>\n{"name": "rain", "arguments": {"at": "Ulm"}}\n</tool_call>';
const rain: ChatTool = {
  type: 'function',
  function: { name: 'rain', description: 'Rain', parameters: { type: 'object', properties: {} } },
};
const messages = [{ role: 'user', content: 'Hi' }] as const;

const TOKENIZER = tokenizerWith(SPECIAL);

let engine: LocalEngine;
let tokenizer: Tokenizer;
let prompt: number[] = []; // of the last reply

/** Opens an engine that says `script`, whatever it is asked. */
async function say(chatTemplate: string, script: string): Promise<void> {
  engine = await LocalEngine.open({ device: 'cpu' });
  await engine.load(await templatedModel(chatTemplate, { special: SPECIAL }), { contextTokens: CONTEXT });
  tokenizer = await openTokenizer({ tokenizerJson: TOKENIZER as never });
  const ids = [...tokenizer.encode(script, { addSpecialTokens: false }), END];
  const { runner } = engine;
  const [rewind, prefill] = [runner.rewindTo.bind(runner), runner.prefill.bind(runner)];
  let next = 0;
  vi.spyOn(runner, 'rewindTo').mockImplementation((state, past) => {
    [prompt, next] = [[], 0]; // a reply begins
    return rewind(state, past);
  });
  vi.spyOn(runner, 'prefill').mockImplementation((state, request, signal) => {
    prompt.push(...request.ids);
    return prefill(state, request, signal);
  });
  vi.spyOn(runner, 'step').mockImplementation(async (_state, request) => {
    if (next === 0) prompt.push(...request.ids);
    const logits = () => Promise.reject(new Error('a script has no logits'));
    return { best: ids[next++] ?? END, candidates: undefined, routes: undefined, logits };
  });
}

afterEach(() => engine.dispose());

const lastPrompt = () => tokenizer.decode(prompt, { skipSpecialTokens: false });

async function generate(options: GenerateOptions = {}, given: Prompt = messages) {
  const session = engine.session();
  const events: GenerateEvent[] = [];
  for await (const event of session.generate(given, { temperature: 0, ...options })) events.push(event);
  session.dispose();
  const done = events.at(-1);
  if (done?.kind !== 'done') throw new Error('the last event is not done');
  return { done, tokens: events.filter((event) => event.kind === 'token') };
}

const create = (extra: object = {}) =>
  engine.chat.completions.create({ messages, temperature: 0, stream: false, ...extra });

async function stream(extra: object = {}) {
  const request = {
    messages,
    temperature: 0,
    stream: true as const,
    stream_options: { include_usage: true },
  };
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of await engine.chat.completions.create({ ...request, ...extra }))
    chunks.push(chunk);
  const deltas = chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta));
  return { chunks, deltas, last: chunks.flatMap(({ choices }) => choices).at(-1) };
}

test('an answer that was begun is continued, and the prompt ends with it', async () => {
  await say(QWEN3, 'down there.');
  const begun = [...messages, { role: 'assistant', content: 'The fox is' }] as const;
  const { done } = await generate({ continueFinalMessage: true }, begun);
  expect(done.text).toBe('down there.');
  expect(lastPrompt()).toMatch(/The fox is$/);
  await create({ messages: begun, continue_final_message: true });
  expect(lastPrompt()).toMatch(/The fox is$/);
  expect(await engine.tokenize(begun, { continueFinalMessage: true })).toEqual(prompt);
});

describe('a model that thinks in tags', () => {
  test('has thoughts and answer in events of their own, which are those of the end', async () => {
    await say(QWEN3, '<think>\nA fox?\n</think>\n\nA fox 🦊.');
    const { done, tokens } = await generate();
    expect(done).toMatchObject({ reason: 'stop', text: 'A fox 🦊.', reasoning: 'A fox?' });
    expect(tokens.map(({ text }) => text).join('')).toBe(done.text);
    expect(tokens.map(({ reasoning = '' }) => reasoning).join('')).toBe(done.reasoning);
    const isThought = tokens.map(({ reasoning }) => reasoning !== undefined);
    const [begin, end] = [isThought.indexOf(true), isThought.lastIndexOf(true)];
    expect(isThought.slice(begin, end + 1)).not.toContain(false);
    expect(end).toBeLessThan(tokens.length - 1);
    expect(done.usage.reasoningTokens).toBe(end + 1 - begin);
    expect(done).not.toHaveProperty('toolCalls');
  });

  test('may be cut inside of them', async () => {
    await say(QWEN3, '<think>\nA fox? No, \n a dog');
    const { done } = await generate();
    expect(done).toMatchObject({ text: '', reasoning: 'A fox? No, \n a dog' });
  });

  test('may have begun them in the prompt', async () => {
    await say(`${QWEN3}{{ '<think>\\n' }}`, 'A fox?\n</think>\n\nYes');
    expect((await generate()).done).toMatchObject({ text: 'Yes', reasoning: 'A fox?' });
  });

  test('is stopped by texts of its answer only', async () => {
    await say(QWEN3, '<think>a fox and a dog</think>a dog and a fox');
    const { done } = await generate({ stop: [' and'] });
    expect(done).toMatchObject({ reason: 'stop', text: 'a dog', reasoning: 'a fox and a dog' });
  });

  test('continues a plain text as it is', async () => {
    await say(QWEN3, '<think>a</think>b');
    const { done } = await generate({}, 'Once');
    expect(done.text).toBe('<think>a</think>b');
    expect(done).not.toHaveProperty('reasoning');
  });

  test('has reasoning_content in the OpenAI shape, whole and streamed alike', async () => {
    await say(QWEN3, '<think>\nA fox?\n</think>\n\nA fox.<thi');
    const whole = await create();
    expect(whole.choices[0]).toMatchObject({
      message: { role: 'assistant', content: 'A fox.<thi', reasoning_content: 'A fox?' },
      finish_reason: 'stop',
    });
    expect(whole.usage.completion_tokens_details?.reasoning_tokens).toBeGreaterThan(3);
    const { chunks, deltas } = await stream();
    const join = (field: 'content' | 'reasoning_content') =>
      deltas.map((delta) => delta[field] ?? '').join('');
    expect(join('content')).toBe('A fox.<thi');
    expect(join('reasoning_content')).toBe('A fox?');
    expect(deltas.filter((delta) => delta.content && delta.reasoning_content)).toEqual([]);
    expect(chunks.at(-1)?.usage).toEqual(whole.usage);
    // What was answered goes back as it is; the template leaves the old thoughts out.
    await create({ messages: [...messages, whole.choices[0]!.message, { role: 'user', content: 'So?' }] });
    expect(lastPrompt()).toContain('<|im_start|>assistant\nA fox.<thi<|im_end|>\n<|im_start|>user\nSo?');
  });

  test('does not think where it is told not to', async () => {
    await say(QWEN3, '\nYes');
    const { done } = await generate({ templateOptions: { enable_thinking: false } });
    expect(done).toMatchObject({ text: 'Yes' });
    const quiet = lastPrompt();
    expect(quiet).toMatch(/assistant\n<think>\n\n<\/think>\n\n$/);
    for (const off of [{ reasoning_effort: 'none' }, { chat_template_kwargs: { enable_thinking: false } }]) {
      await create(off);
      expect(lastPrompt()).toBe(quiet);
    }
    await create({ reasoning_effort: 'high' });
    expect(lastPrompt()).toMatch(/assistant\n$/);
    await expect(generate({ templateOptions: { enable_thinkin: false } })).rejects.toMatchObject({
      code: 'bad-input',
      message: expect.stringMatching(/has no variable "enable_thinkin"/),
    });
    await expect(generate({ templateOptions: { messages: [] } })).rejects.toThrow(
      /templateOptions\.messages is/,
    );
  });
});

describe('a model that thinks in channels', () => {
  const analysis = '<|channel|>analysis<|message|>A fox?<|end|><|start|>assistant';

  test('has thoughts and answer without headers', async () => {
    await say(GPT_OSS, `${analysis}<|channel|>final<|message|>A fox.`);
    const { done, tokens } = await generate({ templateOptions: { reasoning_effort: 'low' } });
    expect(done).toMatchObject({ reason: 'stop', text: 'A fox.', reasoning: 'A fox?' });
    expect(tokens.map(({ text }) => text).join('')).toBe('A fox.');
    expect(lastPrompt()).toContain('Reasoning: low\n');
    expect(lastPrompt()).toMatch(/<\|start\|>assistant$/);
  });

  test('calls tools', async () => {
    await say(GPT_OSS, `${analysis}<|channel|>commentary to=functions.rain json<|message|>{"at":"Ulm"}`);
    const { done } = await generate({ tools: [rain] });
    expect(done).toMatchObject({ text: '', reasoning: 'A fox?' });
    expect(done.toolCalls?.map((call) => call.function)).toEqual([
      { name: 'rain', arguments: '{"at":"Ulm"}' },
    ]);
    expect(lastPrompt()).toContain('type rain = () => any;');
  });
});

describe('tools', () => {
  test('are told to the model, and its calls to the caller, who answers them', async () => {
    await say(QWEN3, `<think>I ask.</think>\n\nWait.\n${CALL}\n${CALL}`);
    const whole = await create({ tools: [rain], tool_choice: 'auto' });
    expect(lastPrompt()).toContain(
      '<tools>\n{"type": "function", "function": {"name": "rain", "description": "Rain"',
    );
    const [choice] = whole.choices;
    const call = {
      id: expect.stringMatching(/^call_[0-9a-f]{24}$/),
      type: 'function',
      function: { name: 'rain', arguments: '{"at":"Ulm"}' },
    };
    expect(choice).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: 'Wait.\n', tool_calls: [call, call] },
    });
    const ids = choice?.message.tool_calls?.map(({ id }) => id) ?? [];
    expect(new Set(ids).size).toBe(2);
    const { deltas, last } = await stream({ tools: [rain] });
    expect(deltas.flatMap((delta) => delta.tool_calls ?? [])).toMatchObject([
      { index: 0, ...call },
      { index: 1, ...call },
    ]);
    expect(deltas.map(({ content = '' }) => content).join('')).toBe('Wait.\n');
    expect(last).toMatchObject({ finish_reason: 'tool_calls', delta: {} });
    const answers = ids.map((id) => ({ role: 'tool', content: 'no', tool_call_id: id }));
    await create({ tools: [rain], messages: [...messages, choice?.message, ...answers] });
    expect(lastPrompt()).toContain(`<think>\nI ask.\n</think>\n\nWait.\n\n${CALL}\n${CALL}<|im_end|>\n`);
    expect(lastPrompt()).toContain('<tool_response>\nno\n</tool_response>');
  });

  test('have the ids that a model writes, each once', async () => {
    const call = '<|tool_call_begin|>functions.rain:0<|tool_call_argument_begin|>{}<|tool_call_end|>';
    const section = `<|tool_calls_section_begin|>${call}${call}<|tool_calls_section_end|>`;
    await say("{{ '<|tool_calls_section_begin|>' if tools else '' }}{{ messages[0].content }}", section);
    const { done } = await generate({ tools: [rain] });
    expect(done.text).toBe('');
    expect(done.toolCalls?.map(({ id }) => id)).toEqual([
      'functions.rain:0',
      expect.stringMatching(/^call_[0-9a-f]{24}$/),
    ]);
  });

  test('that are not given, or not to be used, are not called', async () => {
    await say(QWEN3, CALL);
    for (const extra of [{}, { tools: [] }, { tools: [rain], tool_choice: 'none' }]) {
      const { choices } = await create(extra);
      expect(choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: CALL } });
      expect(choices[0]?.message).not.toHaveProperty('tool_calls');
      expect(lastPrompt()).not.toContain('<tools>');
    }
  });

  test('need a template with a place for them, and messages', async () => {
    await say('{{ messages[0].content }}', 'a');
    await expect(create({ tools: [rain] })).rejects.toMatchObject({
      code: 'bad-input',
      message: expect.stringMatching(/chat template has no place for tools; wanted a model that was trained/),
    });
    await expect(generate({ tools: [rain] }, 'Once')).rejects.toThrow(
      /tools were given with a prompt of plain text/,
    );
  });
});
