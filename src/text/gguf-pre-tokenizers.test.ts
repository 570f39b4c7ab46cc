/** Pieces, before any merge: vocabularies hide most mistakes in patterns, since they hold no token that crosses a piece. */
import { Tokenizer as HuggingFaceTokenizer, AddedToken } from '@huggingface/tokenizers';
import { describe, expect, test } from 'vitest';
import { boundLibrary } from './bounded-library.ts';
import { unicodeToByte } from './byte-alphabet.ts';
import { preTokenizerJson, preTokenizerOf } from './gguf-pre-tokenizers.ts';
import { withPatternBudget } from './pattern.ts';

/** What the patterns make of a text. */
function split(name: string, text: string): string[] {
  const pre_tokenizer = preTokenizerJson(preTokenizerOf(name));
  const model = { type: 'BPE', vocab: {}, merges: [] };
  const parts = {
    normalizer: null,
    pre_tokenizer,
    post_processor: null,
    decoder: null,
    added_tokens: [],
    model,
  };
  const library = new HuggingFaceTokenizer(parts as never, {});
  boundLibrary(library, [], AddedToken);
  const pieces = withPatternBudget(text.length, () => library.pre_tokenizer?.(text) ?? []);
  return pieces.map((piece) =>
    new TextDecoder('utf-8', { ignoreBOM: true }).decode(
      Uint8Array.from(piece, (letter) => unicodeToByte.get(letter) ?? 0),
    ),
  );
}

// llama.cpp's patterns as spec/model-families.md has them, in JavaScript's syntax.
const G2 = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)/gu;
const L3 =
  /(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu;
const Q2 = new RegExp(L3.source.replace('{1,3}', ''), 'gu');
const Q35 =
  /(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu;
const O200 =
  /[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu;
const TEKKEN =
  /[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu;
const DEEPSEEK3 =
  /[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu;
const BAILING =
  /'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+/gu;
const CASED = // as DeepSeek's file lists it up to U+0500
  /\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿ\u0386\u0388-\u038a\u038c\u038e-ΡΣ-ϵϷ-ҁҊ-ԯԱ-Ֆ]+/gu;
const DEEPSEEK = [
  /[\r\n]/gu,
  CASED,
  /\s?[!-/:-~！-／：-～‘-‟　-。]+/gu,
  /\s+$/gu,
  /[一-龥ࠀ-一가-퟿]+/gu,
  /\p{N}+/gu,
];

/** Splits the pieces by one pattern after the other; what no match covers is a piece as well. */
function reference(patterns: readonly RegExp[], text: string): string[] {
  let pieces = [text];
  for (const pattern of patterns) {
    pieces = pieces.flatMap((piece) => {
      const parts: string[] = [];
      let from = 0;
      for (const { 0: found, index } of piece.matchAll(pattern)) {
        parts.push(piece.slice(from, index), found);
        from = index + found.length;
      }
      return [...parts, piece.slice(from)].filter((part) => part !== '');
    });
  }
  return pieces;
}

const TEXTS = [
  "I've been 'told he's there, 'RE you sure? 'M not, WE'LL see; don't (don'T)",
  'camelCase HTTPServer iPhone2 XMLHttpRequest ALLCAPS’s ǅungla a/b//c path/\n/x',
  '1 12 123 1234 12345 123456 3.14159 x1y22z333 ½ ²³ Ⅷ ٣٤٥٦ 一二三4567',
  '  two   spaces\n\n\n line\r\nnext\t\ttab \n \n  end  ',
  'naïve café Äpfel cafe\u0301 in\u0303 \u0301x हिन्दी में ไทย ภาษา한국어 日本語テスト、中文。混合abc中文def',
  '🚀 (normal) 😶‍🌫️ =====>>> ...!!! "quoted" `code` $x_1 += {a: [1,2]}; // end',
  'Привет, мир! ЁЖ Ελληνικά ԱՐև ΩΜΕΓΑ ßtraße ﬁne K 𝐀bc',
  "don't\n'tis 's 'S 'll\u00a0x\u3000y\u2003z",
  ' ',
  '\n',
  '',
];

test.each<[string, RegExp[]]>([
  ['gpt-2', [G2]],
  ['olmo', [G2]],
  ['refact', [/\p{N}/gu, G2]],
  ['mellum2', [/\p{N}/gu, G2]],
  ['qwen2', [Q2]],
  ['hunyuan', [Q2]],
  ['qwen35', [Q35]],
  ['llama-bpe', [L3]],
  ['lfm2', [L3]],
  ['dbrx', [L3]],
  ['glm4', [L3]],
  ['gpt-4o', [O200]],
  ['llama4', [O200]],
  ['minimax-m2', [O200]],
  ['tekken', [TEKKEN]],
  ['deepseek-v3', [/\p{N}{1,3}/gu, /[一-龥぀-ゟ゠-ヿ]+/gu, DEEPSEEK3]],
  ['bailingmoe', [BAILING]],
  ['bailingmoe2', [BAILING]],
  ['laguna', [/[^\n]+|[\n]+/gu, Q2]],
])('%s splits as the patterns of llama.cpp do', (name, patterns) => {
  for (const text of TEXTS) expect(split(name, text)).toEqual(reference(patterns, text));
});

test('deepseek-llm splits as its patterns do, up to the scripts that the reference lists', () => {
  for (const text of TEXTS.filter((each) => !each.includes('𝐀'))) {
    expect(split('deepseek-llm', text)).toEqual(reference(DEEPSEEK, text));
  }
  // Cased letters that DeepSeek's list has, and some that it lacks.
  expect(split('deepseek-llm', 'ꚛё 𐐀é')).toEqual(['ꚛё', ' 𐐀é']);
  expect(split('deepseek-llm', 'ёա 𝐀é')).toEqual(['ё', 'ա 𝐀', 'é']);
});

describe('patterns that llama.cpp writes as code', () => {
  test.each([
    ['a1234567b', ['a', '1', '234', '567', 'b']],
    ['12 123 1234', ['12', ' ', '123', ' ', '1', '234']],
    ['12345', ['12', '345']],
    ['日本語テスト abc', ['日本語テスト', ' abc']],
    ['x.length !important', ['x', '.length', ' !', 'important']],
  ])('afmoe: %j', (text, pieces) => {
    expect(split('afmoe', text)).toEqual(pieces);
  });

  test('afmoe: a long number', () => {
    const pieces = split('afmoe', '7'.repeat(20_000));
    expect(pieces).toHaveLength(6667);
    expect(pieces.slice(0, 2)).toEqual(['77', '777']);
  });

  test.each([
    ['abc中文def', ['abc', '中文', 'def']],
    ['中文 mixed 12345', ['中文', ' mixed', ' ', '123', '45']],
    ["HTTPServer's x", ["HTTPServer's", ' x']],
    ['かな漢字カナ', ['かな', '漢字', 'カナ']],
    ['a/b\n/', ['a', '/b', '\n', '/']],
    ['!!/\n', ['!!/\n']],
  ])('kimi-k2: %j', (text, pieces) => {
    expect(split('kimi-k2', text)).toEqual(pieces);
  });

  test.each([
    ['1234567', ['1', '234', '567']],
    ['1234x', ['123', '4', 'x']],
  ])('cohere2moe: %j', (text, pieces) => {
    expect(split('cohere2moe', text)).toEqual(pieces);
  });
});

test('an unknown name is refused with the known ones', () => {
  expect(() => preTokenizerOf('toString')).toThrow(
    /tokenizer.ggml.pre is "toString"; wanted one of default, gpt-2, olmo/,
  );
  expect(() => preTokenizerOf('toString')).toThrow(expect.objectContaining({ code: 'unsupported-model' }));
});
