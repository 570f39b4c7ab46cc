/**
 * The tokenizer of a GGUF header as the files of a Hugging Face folder, so that both kinds of model take one way
 * through `openTokenizer`.
 */
import { AtomoeError } from '../errors.ts';
import { LONGEST_TOKEN, type Json } from './check-tokenizer.ts';
import { GGUF_TOKENIZER_KEY, isNoTokenizer } from './gguf-kind.ts';
import { badKey, GgufFields, shown, type GgufMetadata } from './gguf-fields.ts';
import { preTokenizerJson, preTokenizerOf } from './gguf-pre-tokenizers.ts';
import {
  mergesOf,
  SPACE,
  spaceDecoder,
  spaceNormalizer,
  TOKEN_TYPES,
  unigramParts,
  type Pieces,
} from './gguf-sentencepiece.ts';

/** What `openTokenizer` is given for a GGUF; the config of the model is the caller's. */
export interface GgufTokenizerFiles {
  readonly tokenizerJson: Json;
  readonly tokenizerConfig: Json;
  /** `eos_token_id`: every token that ends a reply. */
  readonly generationConfig: Json;
}

/** Parts of a tokenizer.json, and whether texts get a first and a last token unless the file says otherwise. */
interface Kind {
  readonly parts: Json;
  readonly addsBos: boolean | 'always'; // whatever the file says
  readonly addsEos: boolean;
}

const KEY = 'tokenizer.ggml';

/** How to make each kind of tokenizer, by `tokenizer.ggml.model`. */
const MODELS: Readonly<Record<string, (fields: GgufFields, pieces: Pieces) => Kind>> = {
  gpt2: byteLevel,
  llama: sentencePiece,
  t5: unigram,
  gemma4: spacedMerges,
};

/**
 * Reads the tokenizer of a GGUF header.
 *
 * @returns undefined where the file has none
 * @throws {AtomoeError} unsupported-model - a kind of tokenizer or pre-tokenizer that is not known; bad-file - a key whose
 *   value is not what it should be
 */
export function tokenizerFromGguf(metadata: GgufMetadata): GgufTokenizerFiles | undefined {
  const fields = new GgufFields(metadata);
  const model = fields.text(GGUF_TOKENIZER_KEY);
  if (isNoTokenizer(model)) return undefined;
  const make = Object.hasOwn(MODELS, model) ? MODELS[model] : undefined;
  if (!make) throw unknownModel(model);
  const pieces = readPieces(fields);
  const { parts, addsBos, addsEos } = make(fields, pieces);
  const named = namedIds(fields, pieces, model);
  const token = (id: number | undefined) => (id === undefined ? undefined : pieces.tokens[id]);
  const bos = token(named.get('bos_token'));
  const eos = token(named.get('eos_token'));
  const beginsWithBos = addsBos === 'always' || (fields.flag(`${KEY}.add_bos_token`) ?? addsBos);
  const endsWithEos = (fields.flag(`${KEY}.add_eos_token`) ?? addsEos) && eos !== undefined;
  return {
    tokenizerJson: {
      ...parts,
      added_tokens: addedTokens(pieces, fields.text('general.name') ?? ''),
      post_processor: endsWithEos ? endWith(eos, named.get('eos_token')) : null,
    },
    tokenizerConfig: {
      ...Object.fromEntries(Array.from(named, ([name, id]) => [name, token(id)])),
      add_bos_token: beginsWithBos && bos !== undefined,
      add_eos_token: endsWithEos,
      chat_template: readTemplates(fields),
    },
    generationConfig: { eos_token_id: endIds(fields, pieces, named.get('eos_token')) },
  };
}

function unknownModel(model: string): AtomoeError {
  return new AtomoeError(
    'unsupported-model',
    `the GGUF header: ${KEY}.model is ${JSON.stringify(model.slice(0, 60))}; wanted one of ` +
      `${Object.keys(MODELS).join(', ')}; choose another model`,
  );
}

function readPieces(fields: GgufFields): Pieces {
  const tokens = fields.texts(`${KEY}.tokens`);
  if (!tokens || tokens.length === 0)
    throw badKey(`${KEY}.tokens`, tokens ? 'empty' : 'missing', 'a list of texts');
  const types = fields.numbers(`${KEY}.token_type`, tokens.length) ?? tokens.map(() => TOKEN_TYPES.normal);
  const other = types.findIndex((type) => !Number.isInteger(type) || type < 0 || type > TOKEN_TYPES.byte);
  if (other >= 0)
    throw badKey(`${KEY}.token_type, entry ${other},`, shown(types[other]), 'a whole number from 0 to 6');
  return { tokens, types, scores: fields.numbers(`${KEY}.scores`, tokens.length) ?? [] };
}

function byteLevel(fields: GgufFields, { tokens }: Pieces): Kind {
  const pre = preTokenizerOf(fields.text(`${KEY}.pre`) ?? 'default');
  const parts = {
    normalizer: pre.composes ? { type: 'NFC' } : null,
    pre_tokenizer: preTokenizerJson(pre),
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      vocab: vocabOf(tokens),
      merges: readMerges(fields),
      ignore_merges: pre.ignoresMerges === true,
    },
  };
  return { parts, addsBos: pre.addsBos === true, addsEos: false };
}

function sentencePiece(fields: GgufFields, pieces: Pieces): Kind {
  if (pieces.scores.length === 0) throw badKey(`${KEY}.scores`, 'missing', 'a number for each token');
  // Every place where a piece can be cut is tried.
  const long = pieces.tokens.findIndex((token) => token.length > LONGEST_TOKEN);
  if (long >= 0) {
    const letters = `${pieces.tokens[long]?.length} letters long`;
    throw badKey(`${KEY}.tokens, entry ${long},`, letters, `at most ${LONGEST_TOKEN} letters`);
  }
  const hasPrefix = fields.flag(`${KEY}.add_space_prefix`) ?? true;
  return { parts: spacedParts(pieces, mergesOf(pieces), hasPrefix), addsBos: true, addsEos: false };
}

/**
 * Gemma 4: SentencePiece's letters for spaces and bytes, with the merges of a tokenizer.json. It does not work without BOS,
 * and its first files say to leave it out.
 */
function spacedMerges(fields: GgufFields, pieces: Pieces): Kind {
  const hasPrefix = fields.flag(`${KEY}.add_space_prefix`) ?? false;
  return { parts: spacedParts(pieces, readMerges(fields), hasPrefix), addsBos: 'always', addsEos: false };
}

function spacedParts(
  { tokens, types }: Pieces,
  merges: readonly [string, string][],
  hasPrefix: boolean,
): Json {
  const unknown = tokens[types.indexOf(TOKEN_TYPES.unknown)];
  return {
    normalizer: spaceNormalizer(hasPrefix),
    pre_tokenizer: null,
    decoder: spaceDecoder(hasPrefix),
    model: {
      type: 'BPE',
      vocab: vocabOf(tokens),
      merges,
      byte_fallback: true,
      fuse_unk: true,
      ...(unknown === undefined ? {} : { unk_token: unknown }),
    },
  };
}

function unigram(fields: GgufFields, pieces: Pieces): Kind {
  if (pieces.scores.length === 0) throw badKey(`${KEY}.scores`, 'missing', 'a number for each token');
  const unknown =
    fields.id(`${KEY}.unknown_token_id`, pieces.tokens.length) ?? pieces.types.indexOf(TOKEN_TYPES.unknown);
  if (unknown < 0) throw badKey(`${KEY}.unknown_token_id`, 'missing', 'the id of a token');
  const parts = unigramParts(pieces, {
    unknown,
    hasPrefix: fields.flag(`${KEY}.add_space_prefix`) ?? true,
    trims: fields.flag(`${KEY}.remove_extra_whitespaces`) ?? false,
    composes: fields.has(`${KEY}.precompiled_charsmap`),
  });
  return { parts, addsBos: false, addsEos: true };
}

/** Where a file has a text twice, its first id; ids without a text have none, and write nothing. */
function vocabOf(tokens: readonly string[]): Readonly<Record<string, number>> {
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) if (token !== '' && !ids.has(token)) ids.set(token, id);
  return Object.fromEntries(ids);
}

function readMerges(fields: GgufFields): [string, string][] {
  const key = `${KEY}.merges`;
  const merges = fields.texts(key);
  if (!merges) throw badKey(key, 'missing', 'a list of texts');
  return merges.map((merge, i) => {
    const at = merge.indexOf(' ', 1);
    if (at < 0 || at === merge.length - 1)
      throw badKey(`${key}, entry ${i},`, shown(merge), 'two texts with a space between');
    return [merge.slice(0, at), merge.slice(at + 1)];
  });
}

/** The roles of tokens, by the names that tokenizer_config.json has. */
const ROLES: Readonly<Record<string, string>> = {
  bos_token: 'bos_token_id',
  eos_token: 'eos_token_id',
  unk_token: 'unknown_token_id',
  sep_token: 'seperator_token_id', // as llama.cpp spells it
  pad_token: 'padding_token_id',
  mask_token: 'mask_token_id',
};

/** SentencePiece's own ids, of files that do not say them. */
const LLAMA_IDS: Readonly<Record<string, number>> = { unk_token: 0, bos_token: 1, eos_token: 2 };

function namedIds(fields: GgufFields, { tokens, types }: Pieces, model: string): Map<string, number> {
  const named = new Map<string, number>();
  for (const [name, key] of Object.entries(ROLES)) {
    const usual = model === 'llama' ? LLAMA_IDS[name] : undefined;
    const isUsual = usual !== undefined && isSpecial(types[usual]);
    const id = fields.id(`${KEY}.${key}`, tokens.length) ?? (isUsual ? usual : undefined);
    if (id !== undefined && tokens[id] !== '') named.set(name, id);
  }
  return named;
}

function isSpecial(type: number | undefined): boolean {
  return type === TOKEN_TYPES.control || type === TOKEN_TYPES.unknown;
}

/**
 * Control tokens are special; user-defined ones are found in a text and shown. `[PAD7]` as token 7 fills the vocabulary up
 * to the model's size: it is no part of any text.
 */
function addedTokens({ tokens, types }: Pieces, modelName: string): Json[] {
  // A GGUF does not say it: after Phi-3's control tokens, white space is left out.
  const strips = /phi[- ]?3/i.test(modelName);
  return tokens.flatMap((content, id) => {
    const type = types[id];
    const special = isSpecial(type);
    const isOwn = type === TOKEN_TYPES.userDefined && content !== `[PAD${id}]` && !content.includes(SPACE);
    if (content === '' || content.length > LONGEST_TOKEN || !(special || isOwn)) return [];
    const rstrip = strips && special && !['<unk>', '<s>', '<|endoftext|>'].includes(content);
    return [{ id, content, special, normalized: false, single_word: false, lstrip: false, rstrip }];
  });
}

/** A text, then EOS; BOS is put before it by `add_bos_token`, which never puts it twice. */
function endWith(eos: string, id: number | undefined): Json {
  return {
    type: 'TemplateProcessing',
    single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: eos, type_id: 0 } }],
    pair: [],
    special_tokens: { [eos]: { id: eos, ids: [id], tokens: [eos] } },
  };
}

/** Control tokens that end a turn in the models that have them. Publishers list them in generation_config.json. */
const ENDS = new Set([
  '<|eot_id|>',
  '<|eom_id|>',
  '<|im_end|>',
  '<|end|>',
  '<|return|>',
  '<|call|>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<end_of_turn>',
  '<turn|>',
  '</assistant>',
  '[EOS]',
  '[EOT]',
  '[e~[',
]);

/** In gpt-oss's format this ends a part of a reply. */
const PART_END = '<|end|>';

function endIds(fields: GgufFields, { tokens, types }: Pieces, eos: number | undefined): number[] {
  const keys = ['eot_token_id', 'eom_token_id'].map((key) => fields.id(`${KEY}.${key}`, tokens.length));
  const hasParts = tokens.includes('<|return|>');
  const byText = tokens.flatMap((token, id) =>
    types[id] === TOKEN_TYPES.control && ENDS.has(token) && !(hasParts && token === PART_END) ? [id] : [],
  );
  return [...new Set([eos, ...keys, ...byText].filter((id) => id !== undefined))];
}

/** One template, or several by name. */
function readTemplates(fields: GgufFields): string | { name: string; template: string }[] | undefined {
  const key = 'tokenizer.chat_template';
  const plain = fields.text(key);
  if (plain !== undefined) return plain;
  const named = (fields.texts(`${key}s`) ?? []).flatMap((name) => {
    const template = fields.text(`${key}.${name}`);
    return template === undefined ? [] : [{ name, template }];
  });
  return named.length > 0 ? named : undefined;
}
