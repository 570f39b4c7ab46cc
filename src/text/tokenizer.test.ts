import { describe, expect, test } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { fableFiles, readJsonFile, spmFiles } from './text.test-support.ts';
import { openTokenizer } from './tokenizer.ts';

describe.each(['fable-omni-8m', 'fable-moe-12m'])('%s', (name) => {
  const golden = readJsonFile(`demo/public/models/${name}/golden.json`) as {
    prompt: string;
    ids: number[];
    greedy_ids: number[];
    greedy_text: string;
  };

  test('encodes the golden prompt to the golden ids, with the leading 0', async () => {
    const tokenizer = await openTokenizer(fableFiles(name));
    expect(tokenizer.encode(golden.prompt)).toEqual(golden.ids);
    expect(tokenizer.encode(golden.prompt, { addSpecialTokens: false })).toEqual(golden.ids.slice(1));
    expect(tokenizer.encode(`<|endoftext|>${golden.prompt}`)).toEqual(golden.ids); // never twice
  });

  test('decodes the golden ids to the golden text', async () => {
    const tokenizer = await openTokenizer(fableFiles(name));
    expect(tokenizer.decode(golden.greedy_ids)).toBe(golden.greedy_text);
    const shown = tokenizer.decode([0, ...golden.ids.slice(1)], { skipSpecialTokens: false });
    expect(shown).toBe(`<|endoftext|>${golden.prompt}`);
  });

  test('knows its ends and its size', async () => {
    const tokenizer = await openTokenizer(fableFiles(name));
    expect(tokenizer).toMatchObject({ bosId: 0, bosToken: '<|endoftext|>', eosToken: '<|endoftext|>' });
    expect([...tokenizer.eosIds]).toEqual([0]);
    expect(tokenizer.vocabSize).toBe(4096);
    expect(tokenizer.chatTemplate).toMatch(/bos_token/);
    expect(tokenizer.tokenText(golden.ids[1]!)).toBe('Once');
    expect(tokenizer.tokenText(golden.ids[2]!)).toBe(' upon');
    expect(tokenizer.tokenText(0)).toBe('<|endoftext|>');
    expect(tokenizer.tokenId('<|endoftext|>')).toBe(0);
  });
});

test.each([
  'Hello, world! 123',
  '  two  spaces\n\n\ttabs\r\n',
  'naïve café — “quotes” …',
  '森の狐 🦊👩‍👩‍👧‍👦 ไทย',
  '\u0000\u0007\ufeffBOM',
  '',
])('byte-level text comes back as it was: %j', async (text) => {
  const tokenizer = await openTokenizer(fableFiles());
  const ids = tokenizer.encode(text);
  expect(ids[0]).toBe(0);
  expect(tokenizer.decode(ids)).toBe(text);
});

describe('a tokenizer of the SentencePiece kind', () => {
  test('adds its BOS once, keeps unknown characters as bytes, and gives the text back', async () => {
    const tokenizer = await openTokenizer(spmFiles());
    const ids = tokenizer.encode('the fox 🦊!');
    expect(ids.filter((id) => id === tokenizer.bosId)).toEqual([1]);
    expect(ids[0]).toBe(1);
    expect(ids.map((id) => tokenizer.rawToken(id))).toContain('<0xF0>');
    expect(tokenizer.decode(ids)).toBe('the fox 🦊!');
    expect(tokenizer.decode(ids, { continues: true })).toBe(' the fox 🦊!');
    expect([...tokenizer.eosIds]).toEqual([2]);
  });

  test('tokenText keeps the space and shows half a character as U+FFFD', async () => {
    const tokenizer = await openTokenizer(spmFiles());
    expect(tokenizer.tokenText(tokenizer.tokenId('▁fox')!)).toBe(' fox');
    expect(tokenizer.tokenText(tokenizer.tokenId('<0xF0>')!)).toBe('\ufffd');
    expect(tokenizer.tokenText(tokenizer.tokenId('<0x41>')!)).toBe('A');
  });
});

test('every file may name ends of a reply', async () => {
  const files = {
    ...fableFiles(),
    generationConfig: { eos_token_id: [7, 9] },
    modelConfig: { eos_token_id: 8 },
  };
  expect([...(await openTokenizer(files)).eosIds]).toEqual([7, 9, 8, 0]);
});

test('tokenizer.json alone is enough', async () => {
  const tokenizer = await openTokenizer({ tokenizerJson: fableFiles().tokenizerJson });
  expect(tokenizer.encode('Once upon')).toEqual([1346, 626]);
  expect(tokenizer).toMatchObject({ bosId: undefined, eosToken: undefined, chatTemplate: undefined });
  expect(tokenizer.eosIds.size).toBe(0);
});

test('ids that the tokenizer does not have write nothing', async () => {
  const tokenizer = await openTokenizer(fableFiles());
  expect(tokenizer.decode([1346, 5000, 626])).toBe('Once upon');
  expect(tokenizer.decode([])).toBe('');
});

test.each([
  [
    [
      { name: 'tool_use', template: 'T' },
      { name: 'default', template: 'D' },
    ],
    undefined,
    'D',
  ],
  [[{ name: 'only', template: 'O' }], undefined, 'O'],
  ['in config', 'in its own file', 'in its own file'],
  [undefined, undefined, undefined],
])('chat template %j and file %j: %j', async (template, file, wanted) => {
  const { tokenizerJson } = fableFiles();
  const files = { tokenizerJson, tokenizerConfig: { chat_template: template }, chatTemplate: file };
  expect((await openTokenizer(files)).chatTemplate).toBe(wanted);
});

test.each<[string, Record<string, unknown>, string, RegExp]>([
  ['no model', {}, 'bad-file', /tokenizer.json cannot be used: .*download it again/],
  ['model without vocabulary', { model: { type: 'BPE' } }, 'bad-file', /tokenizer.json cannot be used/],
  [
    'unknown model',
    { model: { type: 'Magic', vocab: {} } },
    'unsupported-model',
    /model type is "Magic", BPE, Unigram/,
  ],
  [
    'unknown normalizer',
    { ...fableFiles().tokenizerJson, normalizer: { type: 'Magic' } },
    'bad-file',
    /Magic/,
  ],
  [
    'CTC decoder',
    { ...fableFiles().tokenizerJson, decoder: { type: 'CTC' } },
    'unsupported-model',
    /decoder "CTC" cannot write/,
  ],
  [
    'Replace after Fuse',
    {
      ...fableFiles().tokenizerJson,
      decoder: {
        type: 'Sequence',
        decoders: [{ type: 'Fuse' }, { type: 'Replace', pattern: { String: 'a' }, content: 'b' }],
      },
    },
    'unsupported-model',
    /decoder "Replace" after Fuse/,
  ],
])('bad tokenizer.json: %s', async (_case, tokenizerJson, code, message) => {
  const error: unknown = await openTokenizer({ tokenizerJson }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(AtomoeError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
});
