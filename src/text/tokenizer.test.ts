import { describe, expect, test } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { fableFiles, readJsonFile, spmFiles } from './text.test-support.ts';
import type { Json } from './check-tokenizer.ts';
import { openTokenizer, type Tokenizer, type TokenizerFiles } from './tokenizer.ts';

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

test('a byte-order mark inside a text is part of it', async () => {
  const spm = await openTokenizer(spmFiles());
  expect(spm.decode(spm.encode('\ufeffa\ufeff'))).toBe('\ufeffa\ufeff');
  const bytes = await openTokenizer(fableFiles());
  const pieces = bytes.encode('a \ufeff\ufeff b\u0085c').map((id) => bytes.rawToken(id));
  // As tokenizers has it: the marks are no white space, the next line is.
  expect(pieces.slice(1)).toEqual(['a', 'Ġ', 'ï', '»', '¿', 'ï', '»', '¿', 'Ġb', 'Â', 'ħ', 'c']);
});

test('every file may name ends of a reply', async () => {
  const files = {
    ...fableFiles(),
    generationConfig: { eos_token_id: [7, 9] },
    modelConfig: { eos_token_id: 8 },
  };
  expect([...(await openTokenizer(files)).eosIds]).toEqual([7, 9, 8, 0]);
});

test('ends and beginnings that the model has not are left out', async () => {
  const files = {
    tokenizerJson: fableFiles().tokenizerJson,
    tokenizerConfig: { add_bos_token: true },
    modelConfig: { eos_token_id: -1, bos_token_id: 4096 },
    generationConfig: { eos_token_id: [7, 4096, 1.5, '8', null] },
    vocab: 4096,
  };
  const tokenizer = await openTokenizer(files);
  expect([...tokenizer.eosIds]).toEqual([7]);
  expect(tokenizer.encode('Once')).toEqual([1346]);
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

describe('what a post-processor puts around a text', () => {
  const files = spmFiles();
  const text = { Sequence: { id: 'A', type_id: 0 } };
  const special = (id: unknown) => ({ SpecialToken: { id, type_id: 0 } });
  const template = (single: unknown, special_tokens: object = {}) => ({
    ...{ type: 'TemplateProcessing', single, special_tokens, pair: [] },
  });
  const open = (post_processor: object) =>
    openTokenizer({ ...files, tokenizerJson: { ...files.tokenizerJson, post_processor } });

  test.each([
    ['a template', template([special('<s>'), text, special('</s>')])],
    ['Bert', { type: 'BertProcessing', cls: ['<s>', 1], sep: ['</s>', 2] }],
    [
      'a template behind another part',
      { type: 'Sequence', processors: [template([special('<s>'), text, special('</s>')])] },
    ],
  ])('%s', async (_case, processor) => {
    const tokenizer = await open(processor);
    const body = ['▁', '!'].map((token) => tokenizer.tokenId(token));
    expect(tokenizer.encode('!')).toEqual([1, ...body, 2]);
    expect(tokenizer.encode('!', { addSpecialTokens: false })).toEqual(body);
  });

  test.each<[string, object, string, RegExp]>([
    [
      'no token',
      template([special('<start>'), text]),
      'bad-file',
      /adds "<start>", which is no token; wanted/,
    ],
    [
      'no token, behind another part',
      { type: 'Sequence', processors: [template([text, special('<start>')])] },
      'bad-file',
      /adds "<start>", which is no token/,
    ],
    ['a number', template([special(1), text]), 'bad-file', /adds 1, which is no token/],
    ['a name of every object', template([special('toString'), text]), 'bad-file', /adds "toString", which/],
    [
      'another id',
      template([special('<s>'), text], { '<s>': { id: '<s>', ids: [2], tokens: ['<s>'] } }),
      'bad-file',
      /adds "<s>", as id 2; wanted 1, the id/,
    ],
    [
      'a name for other tokens',
      template([special('bos'), text], { bos: { id: 'bos', ids: [1], tokens: ['<s>'] } }),
      'unsupported-model',
      /"bos" means \["<s>"\]; wanted a token of that name/,
    ],
    [
      'without the text',
      template([special('<s>')]),
      'bad-file',
      /single is "without the text"; wanted the Sequence/,
    ],
    ['a word', template(['<s>', text]), 'bad-file', /single: an entry is "<s>"; wanted a SpecialToken/],
    ['no list', template(null), 'bad-file', /post_processor.single is null; wanted a list/],
    [
      'Bert: no token',
      { type: 'BertProcessing', cls: ['[CLS]', 1], sep: ['</s>', 2] },
      'bad-file',
      /adds "\[CLS\]"/,
    ],
    [
      'Roberta: another id',
      { type: 'RobertaProcessing', cls: ['<s>', 1], sep: ['</s>', 1] },
      'bad-file',
      /as id 1; wanted 2/,
    ],
    [
      'Roberta: nothing',
      { type: 'RobertaProcessing', cls: ['<s>', 1] },
      'bad-file',
      /post_processor.sep is missing/,
    ],
  ])('is refused at load: %s', async (_case, processor, code, message) => {
    const error: unknown = await open(processor).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'AtomoeError', code, message: expect.stringMatching(message) });
  });

  test('a first token that is none is refused where every text gets it', async () => {
    const withBos = (bos_token: string, add_bos_token: boolean) =>
      openTokenizer({ ...files, tokenizerConfig: { bos_token, add_bos_token } });
    await expect(withBos('<start>', true)).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(/add_bos_token is true, and bos_token is "<start>", which is no token/),
    });
    expect((await withBos('<start>', false)).bosId).toBeUndefined();
  });
});

describe('special tokens, wherever they are declared', () => {
  const { tokenizerJson } = fableFiles();
  const open = (files: Partial<TokenizerFiles>) => openTokenizer({ tokenizerJson, ...files });
  const specials = (tokenizer: Tokenizer, ids: number[]) => ids.map((id) => tokenizer.isSpecial(id));

  test('added_tokens_decoder: in the prompt, hidden in the reply, an end', async () => {
    const decoder = { 4096: { content: '<|im_end|>', special: true }, 4097: { content: '<tool>' } };
    const tokenizer = await open({
      tokenizerConfig: { added_tokens_decoder: decoder, eos_token: '<|im_end|>' },
    });
    expect(tokenizer.encode('a<|im_end|><tool>')).toEqual([...tokenizer.encode('a'), 4096, 4097]);
    expect(specials(tokenizer, [4096, 4097])).toEqual([true, false]);
    expect([...tokenizer.eosIds]).toEqual([4096]);
    expect(tokenizer.decode([1346, 4096, 626])).toBe('Once upon');
    expect(tokenizer.vocabSize).toBe(4098);
  });

  test('special_tokens_map.json and tokenizer_config.json name tokens of the vocabulary', async () => {
    const tokenizer = await open({
      specialTokensMap: { pad_token: { content: 'Once' }, eos_token: 'x' },
      tokenizerConfig: {
        eos_token: '<|endoftext|>',
        sep_token: null,
        additional_special_tokens: ['!', { content: '?' }],
        extra_special_tokens: { image_token: '%' },
      },
    });
    expect(tokenizer.specialTokens).toEqual({
      pad_token: 'Once',
      eos_token: '<|endoftext|>',
      additional_special_tokens: ['!', '?'],
      image_token: '%',
    });
    const ids = ['Once', '!', '?', '%', '$'].map((token) => tokenizer.tokenId(token)!);
    expect(specials(tokenizer, ids)).toEqual([true, true, true, true, false]);
  });

  test('where two files disagree, tokenizer.json has the id', async () => {
    const added_tokens_decoder = { 7: { content: '<|endoftext|>', special: false } };
    const tokenizer = await open({ tokenizerConfig: { added_tokens_decoder } });
    expect(tokenizer.encode('<|endoftext|>')).toEqual([0]);
    expect(tokenizer.isSpecial(0)).toBe(true);
  });
});

test.each<[string, (json: Json) => unknown]>([
  ['an id beyond the model', (json) => ({ ...json, added_tokens: [{ id: 4096, content: '<x>' }] })],
  ['a negative id', (json) => ({ ...json, added_tokens: [{ id: -1, content: '<x>' }] })],
  ['half an id', (json) => ({ ...json, added_tokens: [{ id: 0.5, content: '<x>' }] })],
  ['a token without text', (json) => ({ ...json, added_tokens: [{ id: 1 }] })],
  ['no token', (json) => ({ ...json, added_tokens: [null] })],
  ['no list', (json) => ({ ...json, added_tokens: { 1: 'a' } })],
  ['a vocabulary beyond the model', (json) => withModel(json, { vocab: { a: 5000 } })],
  ['half an id in the vocabulary', (json) => withModel(json, { vocab: { a: 1.5 } })],
  ['text as an id', (json) => withModel(json, { vocab: { a: '1' } })],
  ['a list of ids', (json) => withModel(json, { type: 'Unigram', vocab: ['a'] })],
  [
    'an unknown token that is none',
    (json) => withModel(json, { type: 'Unigram', vocab: [['a', 1]], unk_id: 1 }),
  ],
  ['no merges', (json) => withModel(json, { merges: undefined })],
  ['broken merges', (json) => withModel(json, { merges: [1] })],
  ['words without an end', (json) => withModel(json, { type: 'WordPiece', max_input_chars_per_word: 1e9 })],
  ['a decoder of nothing', (json) => ({ ...json, decoder: { type: 'Sequence', decoders: [null] } })],
  ['pieces of no length', (json) => ({ ...json, pre_tokenizer: { type: 'FixedLength', length: 0 } })],
  ['an empty pattern', (json) => ({ ...json, normalizer: replaceBy('', 'y') })],
  [
    'a pattern that is none',
    (json) => ({ ...json, normalizer: { type: 'Replace', pattern: 7, content: 'y' } }),
  ],
  ['a long replacement', (json) => ({ ...json, normalizer: replaceBy('a', 'y'.repeat(2000)) })],
  ['a deep chain', (json) => ({ ...json, normalizer: nested(40) })],
])('a tokenizer that does not fit or is none: %s', async (_case, change) => {
  const tokenizerJson = change(fableFiles().tokenizerJson) as Json;
  const error: unknown = await openTokenizer({ tokenizerJson, vocab: 4096 }).catch(
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AtomoeError);
  expect(error).toMatchObject({ code: 'bad-file' });
});

test.each([[[null]], [{ default: 5 }], [[{ name: 'default' }]], [7]])(
  'a chat template that is none: %j',
  async (chat_template) => {
    const files = { tokenizerJson: fableFiles().tokenizerJson, tokenizerConfig: { chat_template } };
    await expect(openTokenizer(files)).rejects.toMatchObject({ code: 'bad-file' });
  },
);

function withModel(json: Json, change: Json): Json {
  return { ...json, model: { ...(json['model'] as Json), ...change } };
}

function replaceBy(wanted: string, content: string): Json {
  return { type: 'Replace', pattern: { String: wanted }, content };
}

function nested(depth: number): Json {
  return depth === 0 ? { type: 'NFC' } : { type: 'Sequence', normalizers: [nested(depth - 1)] };
}
