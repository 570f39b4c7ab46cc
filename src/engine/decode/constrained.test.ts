/** Replies with penalties, biases and shapes: on the CPU, with the story models. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeFolder } from '../../io/node-file.ts';
import { openTokenizer, type Tokenizer } from '../../text/tokenizer.ts';
import type { ChatTool, GenerateEvent, GenerateOptions, ResponseFormat } from '../api.ts';
import { LocalEngine } from '../engine.ts';
import { CONTEXT, publishedTemplate, templatedModel } from '../talk/templated.testing.ts';
import { tell } from './decode.testing.ts';
import type { Decoder } from './strategy.ts';

const MODEL = 'demo/public/models/fable-omni-8m';
const GREEDY = { temperature: 0, maxTokens: 24 };

let engine: LocalEngine;
let tokenizer: Tokenizer;

beforeAll(async () => {
  engine = await LocalEngine.open({ device: 'cpu' });
  await engine.load(await nodeFolder(MODEL), { contextTokens: 256 });
  tokenizer = await openTokenizer({
    tokenizerJson: JSON.parse(readFileSync(`${MODEL}/tokenizer.json`, 'utf8')) as never,
  });
});

afterAll(() => engine.dispose());

const idOf = (text: string) => tokenizer.encode(text, { addSpecialTokens: false })[0] ?? -1;

test('the first reply with a shape says that it loads a library, and others load none', async () => {
  const kindsOf = async (options: GenerateOptions) => {
    const session = engine.session();
    const kinds: string[] = [];
    for await (const event of session.generate('Once', { ...GREEDY, maxTokens: 2, ...options })) {
      if (event.kind === 'library') kinds.push(`${event.name} ${event.isLoaded}`);
      else if (kinds.at(-1) !== event.kind) kinds.push(event.kind);
    }
    session.dispose();
    return kinds;
  };
  const [shaped, plain] = [
    { responseFormat: { type: 'json_object' } } as const,
    ['prefill', 'token', 'done'],
  ];
  expect(await kindsOf({ presencePenalty: 1 })).toEqual(plain);
  expect(await kindsOf(shaped)).toEqual(['xgrammar false', 'xgrammar true', ...plain]);
  expect(await kindsOf(shaped)).toEqual(plain);
});

describe('tokens that come more or less often', () => {
  test('a bias of nothing changes nothing', async () => {
    const [plain, biased] = [
      await tell(engine, GREEDY),
      await tell(engine, { ...GREEDY, logitBias: { 5: 0 } }),
    ];
    expect(biased.ids).toEqual(plain.ids);
    expect(biased.done.decoding).toEqual({ strategy: 'constrained' });
    expect(plain.done).not.toHaveProperty('decoding');
  });

  test('-100 forbids a token, and 100 makes it come', async () => {
    const [first = -1] = (await tell(engine, GREEDY)).ids;
    expect((await tell(engine, { ...GREEDY, logitBias: { [first]: -100 } })).ids).not.toContain(first);
    const fox = idOf(' fox');
    expect(new Set((await tell(engine, { ...GREEDY, logitBias: { [fox]: 100 } })).ids)).toEqual(
      new Set([fox]),
    );
  });

  test.each<[name: keyof GenerateOptions, penalty: (count: number) => number]>([
    ['presencePenalty', () => 2],
    ['frequencyPenalty', (count) => 2 * count],
  ])('%s lowers what the reply has', async (name, penalty) => {
    const options = { ...GREEDY, maxTokens: 40 };
    const plain = await tell(engine, options);
    const { ids } = await tell(engine, { ...options, [name]: 2 });
    expect(ids).not.toEqual(plain.ids);
    // Each token is the best one of the plain model's logits less what its formula takes.
    const wanted: number[] = [];
    const decoding = {
      name: 'by the formula',
      needsLogits: true,
      async *decode({ first, state }: Decoder) {
        for (let prediction = first; ;) {
          const logits = (prediction.logits ?? new Float32Array(0)).map((logit, id) => {
            const count = wanted.filter((each) => each === id).length;
            return count === 0 ? logit : logit - penalty(count);
          });
          const id = logits.indexOf(Math.max(...logits));
          wanted.push(id);
          yield { id };
          prediction = await state.step(id);
        }
      },
    };
    expect(ids).toEqual((await tell(engine, { ...options, decoding })).ids);
  });
});

/** Objects whose texts and numbers have bounds, so that a reply of some length holds each of them. */
const BOUNDED: ResponseFormat = {
  type: 'json_schema',
  json_schema: {
    name: 'animal',
    schema: {
      type: 'object',
      properties: {
        kind: { enum: ['fox', 'owl', 'a "snake"'] },
        legs: { type: 'integer', minimum: 0, maximum: 8 },
        name: { type: 'string', maxLength: 6 },
        wild: { type: 'boolean' },
        food: { type: 'array', items: { enum: ['mice', 'eggs'] }, minItems: 1, maxItems: 2 },
      },
      required: ['kind', 'legs', 'name', 'wild', 'food'],
      additionalProperties: false,
    },
    strict: true,
  },
};

const FOOD = [['mice'], ['eggs'], ['mice', 'mice'], ['mice', 'eggs'], ['eggs', 'mice'], ['eggs', 'eggs']];

describe('replies with a shape', () => {
  test('of a schema with bounds parse 10 times of 10', () => parseAll(0, 10));

  test('and 90 times of 90 more', { tags: ['full'] }, () => parseAll(10, 100));

  async function parseAll(first: number, end: number): Promise<void> {
    const kinds = new Set<string>();
    for (let seed = first; seed < end; seed++) {
      const { done } = await tell(engine, {
        ...{ responseFormat: BOUNDED, seed, temperature: 1, topP: 1, maxTokens: 240 },
      });
      expect(done.reason).toBe('stop');
      const animal = JSON.parse(done.text) as Record<string, unknown>;
      expect(animal).toEqual({
        kind: expect.toBeOneOf(['fox', 'owl', 'a "snake"']),
        legs: expect.toBeOneOf([0, 1, 2, 3, 4, 5, 6, 7, 8]),
        name: expect.any(String),
        wild: expect.any(Boolean),
        food: expect.toBeOneOf(FOOD),
      });
      expect(Array.from(String(animal['name'])).length).toBeLessThanOrEqual(6);
      kinds.add(String(animal['kind']));
    }
    expect(kinds.size).toBeGreaterThan(1);
  }

  test('without room end with the reason length', async () => {
    const { done } = await tell(engine, { responseFormat: BOUNDED, maxTokens: 5 });
    expect(done.reason).toBe('length');
  });

  test.each<[format: ResponseFormat, pattern: RegExp]>([
    [{ type: 'regex', pattern: '(red|green), [a-f]{3,5}\\.' }, /^(red|green), [a-f]{3,5}\.$/],
    [{ type: 'grammar', grammar: 'root ::= "<" word ">"\nword ::= [a-z] [a-z]? [a-z]?' }, /^<[a-z]{1,3}>$/],
  ])('%j', async (responseFormat, pattern) => {
    for (const seed of [1, 2, 3]) {
      const { done } = await tell(engine, { responseFormat, seed, temperature: 1, maxTokens: 40 });
      expect(done).toMatchObject({ reason: 'stop', text: expect.stringMatching(pattern) });
    }
  });

  test('JSON of any object begins as one', async () => {
    const { done } = await tell(engine, { ...GREEDY, responseFormat: { type: 'json_object' } });
    expect(done.text).toMatch(/^[[{]/);
  });

  test('of type text are plain replies', async () => {
    const { done } = await tell(engine, { ...GREEDY, responseFormat: { type: 'text' } });
    expect(done).not.toHaveProperty('decoding');
  });

  test('what is no schema or grammar is refused, and the next reply has its shape', async () => {
    const schema = (given: object): ResponseFormat => ({
      type: 'json_schema',
      json_schema: { schema: { ...given } },
    });
    for (const [responseFormat, says] of [
      [
        schema({ type: 'nonsense' }),
        /shape of the reply \(schema\) is not understood: Unsupported type "nonsense"/,
      ],
      [{ type: 'grammar', grammar: 'root ::= (' }, /\(grammar\) is not understood: EBNF parser error/],
      [{ type: 'regex', pattern: 'a(b' }, /\(regex\) is not understood: Regex parsing error at position 4/],
    ] as const) {
      await expect(tell(engine, { ...GREEDY, responseFormat })).rejects.toMatchObject({
        code: 'bad-input',
        message: expect.stringMatching(says),
      });
      const { done } = await tell(engine, { responseFormat: schema({ enum: [1, 'two'] }), maxTokens: 20 });
      expect([1, 'two']).toContain(JSON.parse(done.text));
    }
  });
});

test.each<[options: GenerateOptions, says: RegExp]>([
  [{ presencePenalty: 1, decoding: 'ngram' }, /presencePenalty is given beside decoding/],
  [{ responseFormat: { type: 'json_object' }, trace: true }, /trace is true beside responseFormat/],
  [{ toolChoice: 'required' }, /toolChoice is 'required' without tools/],
  [{ logitBias: { x: 1 } }, /a key of logitBias is "x"/],
])('%j is refused', async (options, says) => {
  await expect(tell(engine, options)).rejects.toMatchObject({
    code: 'bad-input',
    message: expect.stringMatching(says),
  });
});

describe('calls of tools', () => {
  const tool = (name: string, properties: object): ChatTool => ({
    type: 'function',
    function: { name, parameters: { type: 'object', properties, required: Object.keys(properties) } },
  });
  const tools = [tool('rain', { at: { enum: ['Ulm', 'Bonn'] } }), tool('wait', { hours: { enum: [1, 2] } })];
  const prompt = [{ role: 'user', content: 'Rain?' }] as const;
  const asked = { tools, temperature: 1, maxTokens: 120, templateOptions: { enable_thinking: false } };
  let chat: LocalEngine;

  beforeAll(async () => {
    chat = await LocalEngine.open({ device: 'cpu' });
    await chat.load(await templatedModel(publishedTemplate('Qwen-Qwen3-0.6B')), { contextTokens: CONTEXT });
  });

  afterAll(() => chat.dispose());

  const ask = async (options: GenerateOptions) => {
    const session = chat.session();
    let done: GenerateEvent | undefined;
    for await (const event of session.generate(prompt, { ...asked, ...options })) done = event;
    session.dispose();
    if (done?.kind !== 'done') throw new Error('the last event is not done');
    return done;
  };

  test('that are required come, with arguments of their schema', async () => {
    for (const seed of [1, 2, 3]) {
      const {
        toolCalls = [],
        text,
        reason,
      } = await ask({
        ...{ toolChoice: 'required', parallelToolCalls: false, seed },
      });
      expect([toolCalls.length, text, reason]).toEqual([1, '', 'stop']);
      const { name, arguments: given } = toolCalls[0]!.function;
      expect(JSON.parse(given)).toEqual(
        name === 'rain' ? { at: expect.toBeOneOf(['Ulm', 'Bonn']) } : { hours: expect.toBeOneOf([1, 2]) },
      );
    }
  });

  test('of one tool are of this one', async () => {
    const toolChoice = { type: 'function', function: { name: 'wait' } } as const;
    const { toolCalls } = await ask({ toolChoice, seed: 5 });
    expect(toolCalls).toMatchObject([{ function: { name: 'wait' } }]);
  });

  test('in the OpenAI shape', async () => {
    const { choices } = await chat.chat.completions.create({
      ...{ messages: prompt, tools, tool_choice: 'required', parallel_tool_calls: false, stream: false },
      ...{ max_tokens: 120, seed: 4, chat_template_kwargs: { enable_thinking: false } },
    });
    expect(choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: '' } });
    expect(choices[0]?.message.tool_calls).toHaveLength(1);
  });

  test('are not told of where none are wanted', async () => {
    const count = async (options: GenerateOptions) =>
      (await ask({ maxTokens: 1, ...options })).usage.promptTokens;
    expect(await count({ toolChoice: 'none' })).toBe(await count({ tools: [] }));
    expect(await count({ toolChoice: 'none' })).toBeLessThan(await count({}));
  });

  test('of a tool that is not there are refused', async () => {
    const toolChoice = { type: 'function', function: { name: 'snow' } } as const;
    await expect(ask({ toolChoice })).rejects.toThrow(
      /toolChoice\.function\.name is "snow"; wanted rain or wait/,
    );
  });
});
