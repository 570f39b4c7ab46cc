/** Tokenizers for tests: the story models' own, and a small one of the SentencePiece kind. */
import { readFileSync } from 'node:fs';
import type { TokenizerFiles } from './tokenizer.ts';

type Json = Record<string, unknown>;

export function readJsonFile(path: string): Json {
  return JSON.parse(readFileSync(path, 'utf8')) as Json;
}

export function fableFiles(name = 'fable-omni-8m'): TokenizerFiles {
  const folder = `demo/public/models/${name}`;
  return {
    tokenizerJson: readJsonFile(`${folder}/tokenizer.json`),
    tokenizerConfig: readJsonFile(`${folder}/tokenizer_config.json`),
    modelConfig: readJsonFile(`${folder}/config.json`),
    generationConfig: readJsonFile(`${folder}/generation_config.json`),
  };
}

const hexByte = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;

/** Llama's shape: spaces as U+2581, unknown characters as `<0xE2>` bytes, BOS by template. */
export function spmFiles(decoder: unknown = spmDecoder): TokenizerFiles {
  const words = ['▁', '▁the', '▁fox', 'the', 'fox', 'e', 'f', 'h', 'o', 't', 'x', 'ü', '▁▁', '森', '!'];
  const tokens = [
    ...['<unk>', '<s>', '</s>'],
    ...Array.from({ length: 256 }, (_, byte) => hexByte(byte)),
    ...words,
    '<|tool|>',
  ];
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const added = (content: string, special: boolean) => ({
    id: vocab[content],
    content,
    special,
    normalized: false,
  });
  const bos = { SpecialToken: { id: '<s>', type_id: 0 } };
  return {
    tokenizerJson: {
      added_tokens: [added('<unk>', true), added('<s>', true), added('</s>', true), added('<|tool|>', false)],
      normalizer: {
        type: 'Sequence',
        normalizers: [
          { type: 'Prepend', prepend: '▁' },
          { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
        ],
      },
      pre_tokenizer: null,
      post_processor: {
        type: 'TemplateProcessing',
        single: [bos, { Sequence: { id: 'A', type_id: 0 } }],
        pair: [],
        special_tokens: { '<s>': { id: '<s>', ids: [vocab['<s>']], tokens: ['<s>'] } },
      },
      decoder,
      model: {
        type: 'BPE',
        unk_token: '<unk>',
        fuse_unk: true,
        byte_fallback: true,
        vocab,
        merges: ['t h', 'th e', '▁ t', '▁t he', '▁ the', 'f o', 'fo x', '▁ fox', '▁ ▁'].filter(
          (merge) => merge.split(' ').every((part) => part in vocab) && merge.replace(' ', '') in vocab,
        ),
      },
    },
    tokenizerConfig: { bos_token: { content: '<s>' }, eos_token: '</s>', add_bos_token: true },
  };
}

/** Llama's decoder. */
export const spmDecoder = {
  type: 'Sequence',
  decoders: [
    { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
    { type: 'Strip', content: ' ', start: 1, stop: 0 },
  ],
};
