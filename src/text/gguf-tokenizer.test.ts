import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { renderChat } from './chat-template.ts';
import { readGgufMetadata } from './gguf-metadata.testing.ts';
import { mergesOf } from './gguf-sentencepiece.ts';
import { tokenizerFromGguf } from './gguf-tokenizer.ts';
import { fableFiles } from './text.test-support.ts';
import { openTokenizer, type Tokenizer } from './tokenizer.ts';
import type { GgufMetadata } from './gguf-fields.ts';

const [NORMAL, UNKNOWN, CONTROL, USER] = [1, 2, 3, 4];
const FOLDER = 'fixtures/vocab';
const texts = readFileSync(`${FOLDER}/cases.inp`, 'utf8').split('\n__ggml_vocab_test__\n').slice(0, -1);

function open(metadata: GgufMetadata): Promise<Tokenizer> {
  const files = tokenizerFromGguf(metadata);
  if (!files) throw new Error('no tokenizer');
  return openTokenizer(files);
}

describe.each(['gpt-2', 'qwen2', 'refact', 'llama-spm'])("llama.cpp's vocabulary %s", (name) => {
  const metadata = readGgufMetadata(`${FOLDER}/${name}.gguf.gz`);
  const expected = readFileSync(`${FOLDER}/${name}.out`, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(' ').flatMap((id) => (id === '' ? [] : Number(id))));

  test(`encodes the ${texts.length} texts to its ids`, async () => {
    expect(expected).toHaveLength(texts.length);
    const tokenizer = await open(metadata);
    const actual = texts.map((text) => tokenizer.encode(text, { addSpecialTokens: false }));
    const wrong = texts.flatMap((text, i) =>
      actual[i]?.join() === expected[i]?.join() ? [] : [{ text, actual: actual[i], expected: expected[i] }],
    );
    expect(wrong).toEqual([]);
  });
  test('decodes them to the texts', async () => {
    const tokenizer = await open(metadata);
    for (const [i, text] of texts.entries()) expect(tokenizer.decode(expected[i] ?? [])).toBe(text);
  });
});

test("Qwen2's own chat template renders to its control tokens, and ends at them", async () => {
  const tokenizer = await open(readGgufMetadata(`${FOLDER}/qwen2.gguf.gz`));
  const text = renderChat(tokenizer.chatTemplate ?? '', [{ role: 'user', content: 'Hi' }], tokenizer);
  const ids = tokenizer.encode(text, { addSpecialTokens: false });
  expect(ids[0]).toBe(151644);
  expect(ids.filter((id) => id >= 151643)).toEqual([151644, 151645, 151644, 151645, 151644]);
  expect([...tokenizer.eosIds]).toEqual([151643, 151645]);
  expect(tokenizer.vocabSize).toBe(151936);
});

test('a tokenizer.json and the GGUF of the same tokens give the same ids, texts and specials', async () => {
  const files = fableFiles();
  const { model, added_tokens } = files.tokenizerJson as {
    model: { vocab: Record<string, number>; merges: [string, string][] };
    added_tokens: { id: number; content: string }[];
  };
  const tokens = Object.keys(model.vocab).sort((a, b) => (model.vocab[a] ?? 0) - (model.vocab[b] ?? 0));
  const viaJson = await openTokenizer(files);
  const viaGguf = await open({
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'gpt-2',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.token_type': tokens.map((token) =>
      added_tokens.some(({ content }) => content === token) ? CONTROL : NORMAL,
    ),
    'tokenizer.ggml.merges': model.merges.map((pair) => (typeof pair === 'string' ? pair : pair.join(' '))),
    'tokenizer.ggml.bos_token_id': viaJson.bosId,
    'tokenizer.ggml.eos_token_id': viaJson.bosId,
    'tokenizer.ggml.add_bos_token': true,
    'tokenizer.chat_template': viaJson.chatTemplate,
  });
  for (const text of [...texts, '<|endoftext|>Once', 'Once <|endoftext|> upon']) {
    expect(viaGguf.encode(text)).toEqual(viaJson.encode(text));
    expect(viaGguf.encode(text, { addSpecialTokens: false })).toEqual(
      viaJson.encode(text, { addSpecialTokens: false }),
    );
    expect(viaGguf.decode(viaGguf.encode(text))).toBe(viaJson.decode(viaJson.encode(text)));
  }
  for (const key of [
    'bosId',
    'bosToken',
    'eosToken',
    'eosIds',
    'vocabSize',
    'specialTokens',
    'chatTemplate',
  ] as const) {
    expect(viaGguf[key]).toEqual(viaJson[key]);
  }
});

test("Qwen's tokenizers compose characters, as their tokenizer.json says; others take the text as it is", async () => {
  const [qwen, refact] = [
    await open(readGgufMetadata(`${FOLDER}/qwen2.gguf.gz`)),
    await open(readGgufMetadata(`${FOLDER}/refact.gguf.gz`)),
  ];
  expect(qwen.encode('cafe\u0301')).toEqual(qwen.encode('caf\u00e9'));
  expect(refact.decode(refact.encode('cafe\u0301'))).toBe('cafe\u0301');
});

test('merges of scores join what SentencePiece joins, in texts of few letters as well', async () => {
  const metadata = readGgufMetadata(`${FOLDER}/llama-spm.gguf.gz`);
  const tokenizer = await open(metadata);
  const join = sentencePiece(metadata);
  const pick = seeded(7);
  for (const letters of ['a ', '=-', 'aeiou rst', '\n\t {}();', 'lLoO0', '....,;', 'ж中ü ']) {
    for (let i = 0; i < 300; i++) {
      const text = Array.from({ length: 1 + pick(40) }, () => letters[pick(letters.length)]).join('');
      expect(tokenizer.encode(text, { addSpecialTokens: false })).toEqual(join(text));
    }
  }
});

/** The definition: of all neighbours that make a piece, those of the highest score join, the leftmost first. */
function sentencePiece(metadata: Map<string, unknown>): (text: string) => number[] {
  const tokens = metadata.get('tokenizer.ggml.tokens') as string[];
  const scores = metadata.get('tokenizer.ggml.scores') as number[];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const scoreOf = (token: string) => scores[ids.get(token) ?? -1] ?? -Infinity;
  return (text) => {
    const parts = Array.from(`▁${text.replaceAll(' ', '▁')}`);
    for (;;) {
      const pairs = parts.slice(1).map((part, i) => scoreOf((parts[i] ?? '') + part));
      const best = Math.max(...pairs);
      if (!(best > -Infinity)) break;
      const at = pairs.indexOf(best);
      parts.splice(at, 2, parts.slice(at, at + 2).join(''));
    }
    return parts.flatMap(
      (part) => ids.get(part) ?? Array.from(new TextEncoder().encode(part), (byte) => 3 + byte),
    );
  };
}

function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A byte-level tokenizer of few letters: `ab` is a token, `<s>` and `</s>` begin and end, `<tool>` is shown. */
function small(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const tokens = ['a', 'b', 'Ġ', 'ab', '<s>', '</s>', '<tool>', '[PAD7]', '', 'ab'];
  return {
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'qwen2',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.token_type': [NORMAL, NORMAL, NORMAL, NORMAL, CONTROL, CONTROL, USER, USER, 5, 5],
    'tokenizer.ggml.merges': ['a b'],
    'tokenizer.ggml.bos_token_id': 4,
    'tokenizer.ggml.eos_token_id': 5,
    ...changes,
  };
}

/** Llama's kind, of few letters. */
function smallSpm(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    'tokenizer.ggml.model': 'llama',
    'tokenizer.ggml.tokens': ['<unk>', '<s>', '</s>', '<0x0A>', '▁', 'a', '▁a', '<|end|>'],
    'tokenizer.ggml.token_type': Int32Array.of(UNKNOWN, CONTROL, CONTROL, 6, NORMAL, NORMAL, NORMAL, CONTROL),
    'tokenizer.ggml.scores': Float32Array.of(0, 0, 0, 0, -2, -3, -1, 0),
    ...changes,
  };
}

describe('special tokens', () => {
  test('control tokens are hidden, user-defined ones shown, and what fills the vocabulary is no part of a text', async () => {
    const tokenizer = await open(small());
    const ids = tokenizer.encode('<s>ab<tool>a</s>');
    expect(ids).toEqual([4, 3, 6, 0, 5]);
    expect(tokenizer.decode(ids)).toBe('ab<tool>a');
    expect(tokenizer.encode('[PAD7]')).not.toContain(7);
    expect(tokenizer.decode([8])).toBe('');
    expect(tokenizer).toMatchObject({ bosToken: '<s>', eosToken: '</s>', bosId: 4 });
    expect(tokenizer.specialTokens).toEqual({ bos_token: '<s>', eos_token: '</s>' });
  });

  test('metadata may be a Map, with bigints', async () => {
    const metadata = new Map(Object.entries(small({ 'tokenizer.ggml.eos_token_id': 5n })));
    expect([...(await open(metadata)).eosIds]).toEqual([5]);
  });

  test('BOS where the file or its pre-tokenizer says so, and once', async () => {
    const first = async (changes: Record<string, unknown>, text = 'a') =>
      (await open(small(changes))).encode(text);
    expect(await first({})).toEqual([0]);
    expect(await first({ 'tokenizer.ggml.add_bos_token': true })).toEqual([4, 0]);
    expect(await first({ 'tokenizer.ggml.add_bos_token': true }, '<s>a')).toEqual([4, 0]);
    expect(await first({ 'tokenizer.ggml.pre': 'llama-bpe' })).toEqual([4, 0]);
    expect(await first({ 'tokenizer.ggml.pre': 'llama-bpe', 'tokenizer.ggml.add_bos_token': false })).toEqual(
      [0],
    );
    expect(
      await first({ 'tokenizer.ggml.pre': 'llama-bpe', 'tokenizer.ggml.bos_token_id': undefined }),
    ).toEqual([0]);
    expect((await open(small())).encode('a', { addSpecialTokens: false })).toEqual([0]);
  });

  test('EOS behind a text where the file says so', async () => {
    const tokenizer = await open(
      small({ 'tokenizer.ggml.add_bos_token': true, 'tokenizer.ggml.add_eos_token': true }),
    );
    expect(tokenizer.encode('ab')).toEqual([4, 3, 5]);
    expect(tokenizer.encode('ab', { addSpecialTokens: false })).toEqual([3]);
  });

  test('every end of a reply', async () => {
    const ends = async (tokens: string[], changes: Record<string, unknown> = {}) => {
      const token_type = tokens.map(() => CONTROL);
      const more = { 'tokenizer.ggml.tokens': tokens, 'tokenizer.ggml.token_type': token_type, ...changes };
      return [
        ...(
          await open(small({ ...more, 'tokenizer.ggml.bos_token_id': 0, 'tokenizer.ggml.eos_token_id': 1 }))
        ).eosIds,
      ];
    };
    expect(await ends(['a', 'b', '<|im_end|>', '<x>'])).toEqual([1, 2]);
    expect(await ends(['a', 'b', 'c', '<x>'], { 'tokenizer.ggml.eot_token_id': 3 })).toEqual([1, 3]);
    expect(await ends(['a', '<|return|>', '<|end|>', '<|call|>'])).toEqual([1, 3]); // gpt-oss
    expect(await ends(['a', '<|endoftext|>', '<|end|>'])).toEqual([1, 2]); // Phi
  });

  test('a chat template, or several by name', async () => {
    const template = { 'tokenizer.chat_template': 'T' };
    expect((await open(small(template))).chatTemplate).toBe('T');
    const several = {
      'tokenizer.chat_templates': ['rag', 'default'],
      'tokenizer.chat_template.rag': 'R',
      'tokenizer.chat_template.default': 'D',
    };
    expect((await open(small(several))).chatTemplate).toBe('D');
    expect((await open(small())).chatTemplate).toBeUndefined();
  });
});

describe('a tokenizer of the SentencePiece kind', () => {
  test('a space before the text, BOS, bytes and <unk>', async () => {
    const tokenizer = await open(smallSpm());
    expect(tokenizer.encode('a a\nb')).toEqual([1, 6, 6, 3, 0]);
    expect(tokenizer.decode([1, 6, 6, 3, 5])).toBe('a a\na');
    expect([...tokenizer.eosIds]).toEqual([2, 7]);
  });

  test('no space before the text', async () => {
    const tokenizer = await open(smallSpm({ 'tokenizer.ggml.add_space_prefix': false }));
    expect(tokenizer.encode('a a')).toEqual([1, 5, 6]);
    expect(tokenizer.decode([6])).toBe(' a');
  });

  test("white space behind Phi-3's control tokens is left out", async () => {
    const encode = async (name: string) =>
      (await open(smallSpm({ 'general.name': name }))).encode('<|end|>\na');
    expect(await encode('Phi 3.5 MoE Instruct')).toEqual([1, 7, 6]);
    expect(await encode('Other')).toEqual([1, 7, 4, 3, 5]);
  });

  test('Gemma 4: merges, and BOS whatever the file says', async () => {
    const metadata = smallSpm({ 'tokenizer.ggml.merges': ['▁ a'], 'tokenizer.ggml.add_bos_token': false });
    const bos = { 'tokenizer.ggml.bos_token_id': 1 };
    const tokenizer = await open({ ...metadata, ...bos, 'tokenizer.ggml.model': 'gemma4' });
    expect(tokenizer.encode('a a\n')).toEqual([1, 5, 6, 3]);
    expect(tokenizer.decode([5, 6, 3])).toBe('a a\n');
  });

  test('Unigram: the likeliest pieces, EOS behind them', async () => {
    const metadata = {
      'tokenizer.ggml.model': 't5',
      'tokenizer.ggml.tokens': ['<pad>', '</s>', '<unk>', '▁', 'a', '▁a', 'aa', '▁aa'],
      'tokenizer.ggml.token_type': [CONTROL, CONTROL, UNKNOWN, NORMAL, NORMAL, NORMAL, NORMAL, NORMAL],
      'tokenizer.ggml.scores': [0, 0, 0, -3, -4, -5, -4.5, -9.5],
      'tokenizer.ggml.eos_token_id': 1,
      'tokenizer.ggml.unknown_token_id': 2,
      'tokenizer.ggml.remove_extra_whitespaces': true,
      'tokenizer.ggml.precompiled_charsmap': Uint8Array.of(0),
    };
    const tokenizer = await open(metadata);
    expect(tokenizer.encode('  aa   a ')).toEqual([3, 6, 5, 1]); // -7.5 is more than -9 and -9.5
    expect(tokenizer.decode([3, 6, 5, 1])).toBe('aa a');
  });
});

test.each([[{}], [{ 'tokenizer.ggml.model': 'none' }], [{ 'tokenizer.ggml.model': 'no_vocab' }]])(
  'no tokenizer: %j',
  (metadata) => {
    expect(tokenizerFromGguf(metadata)).toBeUndefined();
  },
);

test.each<[string, Record<string, unknown>, string, RegExp]>([
  [
    'model',
    small({ 'tokenizer.ggml.model': 'bert' }),
    'unsupported-model',
    /model is "bert"; wanted one of gpt2, llama, t5/,
  ],
  ['model', small({ 'tokenizer.ggml.model': 'toString' }), 'unsupported-model', /model is "toString"/],
  ['model', small({ 'tokenizer.ggml.model': 7 }), 'bad-file', /tokenizer.ggml.model is 7; wanted a text/],
  [
    'pre',
    small({ 'tokenizer.ggml.pre': 'magic' }),
    'unsupported-model',
    /pre is "magic"; wanted one of .*qwen2/,
  ],
  [
    'tokens',
    small({ 'tokenizer.ggml.tokens': undefined }),
    'bad-file',
    /tokens is missing; wanted a list of texts/,
  ],
  ['tokens', small({ 'tokenizer.ggml.tokens': [] }), 'bad-file', /tokens is empty; wanted a list of texts/],
  [
    'tokens',
    small({ 'tokenizer.ggml.tokens': ['a', 1] }),
    'bad-file',
    /tokens, entry 1, is 1; wanted a text/,
  ],
  [
    'types',
    small({ 'tokenizer.ggml.token_type': [1] }),
    'bad-file',
    /token_type is a list of 1; wanted one of 10/,
  ],
  [
    'types',
    small({ 'tokenizer.ggml.token_type': 'x' }),
    'bad-file',
    /token_type is "x"; wanted a list of numbers/,
  ],
  [
    'types',
    small({ 'tokenizer.ggml.token_type': Array(10).fill(9) }),
    'bad-file',
    /token_type, entry 0, is 9; wanted/,
  ],
  ['merges', small({ 'tokenizer.ggml.merges': undefined }), 'bad-file', /merges is missing/],
  [
    'merges',
    small({ 'tokenizer.ggml.merges': ['a b', 'ab'] }),
    'bad-file',
    /merges, entry 1, is "ab"; wanted two texts/,
  ],
  [
    'bos',
    small({ 'tokenizer.ggml.bos_token_id': 10 }),
    'bad-file',
    /bos_token_id is 10; wanted the id of one of 10/,
  ],
  ['bos', small({ 'tokenizer.ggml.bos_token_id': -1n }), 'bad-file', /bos_token_id is -1; wanted the id/],
  ['eot', small({ 'tokenizer.ggml.eot_token_id': 1.5 }), 'bad-file', /eot_token_id is 1.5/],
  [
    'add',
    small({ 'tokenizer.ggml.add_bos_token': 1 }),
    'bad-file',
    /add_bos_token is 1; wanted true or false/,
  ],
  [
    'template',
    small({ 'tokenizer.chat_template': 5 }),
    'bad-file',
    /tokenizer.chat_template is 5; wanted a text/,
  ],
  ['scores', smallSpm({ 'tokenizer.ggml.scores': undefined }), 'bad-file', /scores is missing/],
  [
    'scores',
    smallSpm({ 'tokenizer.ggml.scores': [0, 1] }),
    'bad-file',
    /scores is a list of 2; wanted one of 8/,
  ],
  [
    'scores',
    smallSpm({ 'tokenizer.ggml.scores': Array(8).fill(Number.NaN) }),
    'bad-file',
    /scores, entry 0, is NaN/,
  ],
  [
    'piece',
    smallSpm({ 'tokenizer.ggml.tokens': Array(8).fill('a'.repeat(257)) }),
    'bad-file',
    /tokens, entry 0, is 257 letters/,
  ],
])('what is not as it should be is refused by its key: %s', (_case, metadata, code, message) => {
  expect(() => tokenizerFromGguf(metadata)).toThrow(message);
  expect(() => tokenizerFromGguf(metadata)).toThrow(expect.objectContaining({ name: 'AtomoeError', code }));
});

test('a vocabulary of too many merges is refused before it fills memory', () => {
  const tokens = Array.from({ length: 2 ** 15 }, (_, i) => 'a'.repeat(i & 255) + 'b'.repeat(i >> 8));
  const types = tokens.map(() => NORMAL);
  const pieces = { tokens: [...tokens, ...tokens], types: [...types, ...types], scores: [] };
  expect(() => mergesOf(pieces)).toThrow(/tokenizer\.ggml\.tokens is a list whose pieces are joined in more/);
  const few = { tokens: tokens.slice(0, 1000), types, scores: [] };
  const doubled = { tokens: [...few.tokens, ...few.tokens], types, scores: [] };
  expect(mergesOf(doubled)).toEqual(mergesOf(few));
});
