/** What a model's text files say, as a reply has it: stop texts, defaults, templates that do not end. */
import { readFile } from 'node:fs/promises';
import { afterEach, expect, test } from 'vitest';
import { memoryFolder } from '../io/memory.ts';
import type { GenerateOptions, Prompt } from './api.ts';
import { LocalEngine } from './engine.ts';

const FOLDER = 'fixtures/models/mixtral';
let engine: LocalEngine | undefined;
afterEach(() => engine?.dispose());

interface Words {
  /** Names of some ids; the others are `a`, `b` and so on, one letter each. */
  readonly names?: Readonly<Record<number, string>>;
  readonly config?: Readonly<Record<string, unknown>>; // tokenizer_config.json
  readonly generation?: Readonly<Record<string, unknown>>;
  readonly template?: string;
}

async function open({ names = {}, config = {}, generation, template }: Words): Promise<LocalEngine> {
  const modelConfig = JSON.parse(await readFile(`${FOLDER}/config.json`, 'utf8')) as { vocab_size: number };
  const tokens = Array.from({ length: modelConfig.vocab_size }, (_, id) => names[id] ?? letter(id));
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const tokenizer = { model: { type: 'BPE', vocab, merges: [] }, decoder: { type: 'Fuse' } };
  const folder = memoryFolder(
    {
      'config.json': JSON.stringify({ ...modelConfig, eos_token_id: null }),
      'model.safetensors': new Uint8Array(await readFile(`${FOLDER}/model.safetensors`)),
      'tokenizer.json': JSON.stringify(tokenizer),
      'tokenizer_config.json': JSON.stringify(config),
      ...(generation ? { 'generation_config.json': JSON.stringify(generation) } : {}),
      ...(template === undefined ? {} : { 'chat_template.jinja': template }),
    },
    'words',
  );
  engine = await LocalEngine.open({ device: 'cpu' });
  await engine.load(folder, { contextTokens: 64 });
  return engine;
}

const letter = (id: number) => String.fromCodePoint(0x4e00 + id);

async function reply(words: Words, options: GenerateOptions, prompt: Prompt = letter(1)) {
  const session = (await open(words)).session();
  const ids: number[] = [];
  for await (const event of session.generate(prompt, options)) {
    if (event.kind === 'token') ids.push(event.id);
    if (event.kind === 'done') return { ids, text: event.text, reason: event.reason };
  }
  throw new Error('the reply has no end');
}

test('a stop text that is a special token, or begins with one, ends the reply and does not show', async () => {
  const plain = await reply({}, { temperature: 0, maxTokens: 6 });
  const at = plain.ids.findIndex((id, i) => i > 0 && !plain.ids.slice(0, i).includes(id));
  const [special = 0, next = 0] = plain.ids.slice(at);
  const words: Words = {
    names: { [special]: '<|end|>' },
    config: { added_tokens_decoder: { [special]: { content: '<|end|>', special: true } } },
  };
  const before = plain.text.slice(0, at);
  for (const stop of ['<|end|>', ...(next === special ? [] : [`<|end|>${letter(next)}`])]) {
    const stopped = await reply(words, { temperature: 0, maxTokens: 6, stop: [stop] });
    expect(stopped).toMatchObject({ text: before, reason: 'stop' });
  }
});

test('generation_config.json says how long and how, options win', async () => {
  const greedy = await reply({}, { temperature: 0, maxTokens: 4 });
  const generation = { do_sample: false, max_new_tokens: 4 };
  expect(await reply({ generation }, {})).toEqual(greedy);
  expect((await reply({ generation }, { maxTokens: 2 })).ids).toEqual(greedy.ids.slice(0, 2));
  const ends = { ...generation, eos_token_id: [greedy.ids[1], 4096, -1] };
  expect(await reply({ generation: ends }, {})).toMatchObject({
    ids: greedy.ids.slice(0, 1),
    reason: 'stop',
  });
  await expect(open({ generation: { temperature: 'warm' } })).rejects.toMatchObject({ code: 'bad-file' });
});

test('a template that does not end is refused, and the session goes on', async () => {
  const loop = '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}';
  const messages: Prompt = [{ role: 'user', content: letter(1) }];
  await expect(reply({ template: loop }, { maxTokens: 1 }, messages)).rejects.toMatchObject({
    code: 'bad-file',
  });
  const session = engine?.session();
  const kinds = [];
  for await (const event of session?.generate(letter(1), { maxTokens: 1 }) ?? []) kinds.push(event.kind);
  expect(kinds).toContain('token');
});

test('a token that the model has not is refused at load', async () => {
  const config = { added_tokens_decoder: { 9999: { content: '<tool>' } } };
  await expect(open({ config })).rejects.toMatchObject({
    code: 'bad-file',
    message: expect.stringContaining('does not fit the model'),
  });
});
