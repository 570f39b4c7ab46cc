import type { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { AtomoeError } from '../errors.ts';
import { StreamingDetokenizer } from './detokenizer.ts';
import type { DetokenizerOptions, TokenTable } from './detokenizer.ts';
import type { DecoderConfig } from './token-stream.ts';

type Json = Readonly<Record<string, unknown>>;

/** The parsed files of a model folder. Only tokenizer.json is needed; the others say what begins and ends a text. */
export interface TokenizerFiles {
  readonly tokenizerJson: Json;
  readonly tokenizerConfig?: Json | undefined;
  readonly modelConfig?: Json | undefined; // config.json
  readonly generationConfig?: Json | undefined;
  readonly chatTemplate?: string | undefined; // chat_template.jinja; wins over the one in tokenizer_config.json
}

export interface EncodeOptions {
  /**
   * Puts the model's own first token (BOS) before the text. Default true. A text that a chat template made has its
   * control tokens already: pass false.
   */
  addSpecialTokens?: boolean;
}

export interface Tokenizer extends TokenTable {
  encode(text: string, options?: EncodeOptions): number[];
  decode(ids: readonly number[], options?: DetokenizerOptions): string;
  stream(options?: DetokenizerOptions): StreamingDetokenizer;
  /** One token as text, with its leading space; control tokens by name; half a character is U+FFFD. */
  tokenText(id: number): string;
  tokenId(token: string): number | undefined;
  readonly bosId: number | undefined;
  readonly bosToken: string | undefined;
  readonly eosToken: string | undefined;
  /** Every id that ends a reply, from all of the model's files. */
  readonly eosIds: ReadonlySet<number>;
  readonly vocabSize: number; // highest id + 1; the model's own may be larger
  readonly chatTemplate: string | undefined;
}

/**
 * Opens a tokenizer. The library that runs it is loaded on the first call.
 *
 * @throws {AtomoeError} bad-file - tokenizer.json lacks a part; unsupported-model - a part of an unknown kind
 */
export async function openTokenizer(files: TokenizerFiles): Promise<Tokenizer> {
  const { Tokenizer: Library } = await import('@huggingface/tokenizers');
  const { tokenizerJson, tokenizerConfig = {}, modelConfig = {}, generationConfig = {} } = files;
  checkModelType(tokenizerJson['model']);
  const library = construct(() => new Library({ ...EMPTY_PARTS, ...tokenizerJson }, tokenizerConfig));
  const table = tableOf(library, tokenizerJson, tokenizerConfig);
  new StreamingDetokenizer(table); // refuses a decoder that cannot stream now, and not in mid-reply

  const idOf = (token: string | undefined) => (token === undefined ? undefined : library.token_to_id(token));
  const bosToken = contentOf(tokenizerConfig['bos_token']);
  const eosToken = contentOf(tokenizerConfig['eos_token']);
  const bosId = idOf(bosToken) ?? idsOf(modelConfig['bos_token_id'])[0];
  const addsBos = tokenizerConfig['add_bos_token'] === true;
  const stream = (options?: DetokenizerOptions) => new StreamingDetokenizer(table, options);
  const decode = (ids: readonly number[], options?: DetokenizerOptions) => {
    const detokenizer = stream(options);
    return ids.map((id) => detokenizer.push(id)).join('') + detokenizer.flush();
  };
  return {
    ...table,
    encode(text, { addSpecialTokens = true } = {}) {
      const { ids } = library.encode(text, { add_special_tokens: addSpecialTokens });
      // A character outside the vocabulary of a tokenizer without bytes or <unk> has no id.
      const known = ids.filter((id: unknown) => typeof id === 'number');
      const lacksBos = addSpecialTokens && addsBos && bosId !== undefined && known[0] !== bosId;
      return lacksBos ? [bosId, ...known] : known;
    },
    decode,
    stream,
    tokenText: (id) => decode([id], { skipSpecialTokens: false, continues: true }),
    tokenId: (token) => library.token_to_id(token),
    bosId,
    bosToken,
    eosToken,
    eosIds: new Set([
      ...idsOf(generationConfig['eos_token_id']),
      ...idsOf(modelConfig['eos_token_id']),
      ...idsOf(idOf(eosToken)),
    ]),
    vocabSize: library.model?.vocab.length ?? 0,
    chatTemplate: files.chatTemplate ?? chatTemplateOf(tokenizerConfig['chat_template']),
  };
}

/** The library wants each of these named, if only to say that there is none. */
const EMPTY_PARTS = {
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  added_tokens: [],
};

/** The library runs a model of a kind that it does not know as if it were another. */
function checkModelType(model: unknown): void {
  const type = typeof model === 'object' && model !== null && 'type' in model ? model.type : undefined;
  if (type === undefined || type === 'BPE' || type === 'Unigram' || type === 'WordPiece') return;
  throw new AtomoeError(
    'unsupported-model',
    `tokenizer.json: the model type is ${JSON.stringify(type)}, BPE, Unigram or WordPiece is wanted; choose another ` +
      `model`,
  );
}

function construct(make: () => HuggingFaceTokenizer): HuggingFaceTokenizer {
  try {
    return make();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AtomoeError(
      'bad-file',
      `tokenizer.json cannot be used: ${why}; a Hugging Face tokenizer of a known kind is wanted, download it again ` +
        `or choose another model`,
      { cause },
    );
  }
}

function tableOf(library: HuggingFaceTokenizer, tokenizerJson: Json, tokenizerConfig: Json): TokenTable {
  const added = [...library.get_added_tokens_decoder().values()];
  const addedTokens = new Set(added.map((token) => token.content));
  const extra = tokenizerConfig['additional_special_tokens'];
  const specialTokens = new Set([
    ...added.filter((token) => token.special).map((token) => token.content),
    ...(Array.isArray(extra) ? extra.map((token) => contentOf(token) ?? '') : []),
  ]);
  const decoder = tokenizerJson['decoder'];
  return {
    rawToken: (id) => library.id_to_token(id),
    isSpecial: (id) => specialTokens.has(library.id_to_token(id) ?? ''),
    isAdded: (rawToken) => addedTokens.has(rawToken),
    decoder: typeof decoder === 'object' ? (decoder as DecoderConfig | null) : null,
  };
}

/** A token stands in a config as a string or as an object with its content. */
function contentOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  const content =
    typeof value === 'object' && value !== null && 'content' in value ? value.content : undefined;
  return typeof content === 'string' ? content : undefined;
}

/** One id, a list of ids, or nothing. */
function idsOf(value: unknown): number[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((id): id is number => typeof id === 'number' && Number.isInteger(id));
}

/** One template, or several by name, of which the default is for plain chat. */
function chatTemplateOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const named = value as { name?: unknown; template?: unknown }[];
  const chosen = named.find(({ name }) => name === 'default') ?? named[0];
  return typeof chosen?.template === 'string' ? chosen.template : undefined;
}
