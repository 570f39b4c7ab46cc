import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readGgufMetadata } from './gguf-metadata.testing.ts';
import { tokenizerFromGguf } from './gguf-tokenizer.ts';
import { openTokenizer, type Tokenizer } from './tokenizer.ts';
import type { GgufMetadata } from './gguf-fields.ts';

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
