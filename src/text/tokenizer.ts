import { AddedToken, Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { AtomoeError } from '../errors.ts';
import { boundLibrary } from './bounded-library.ts';
import { checkPostProcessor } from './check-post-processor.ts';
import { checkTokenizer, type Json } from './check-tokenizer.ts';
import { contentOf, declaredTokens, type DeclaredTokens } from './declared-tokens.ts';
import { StreamingDetokenizer } from './detokenizer.ts';
import type { DetokenizerOptions, TokenTable } from './detokenizer.ts';
import { withPatternBudget } from './pattern.ts';
import type { DecoderConfig } from './token-stream.ts';

/** The parsed files of a model folder. Only tokenizer.json is needed; the others say what begins and ends a text. */
export interface TokenizerFiles {
  readonly tokenizerJson: Json;
  readonly tokenizerConfig?: Json | undefined;
  readonly specialTokensMap?: Json | undefined; // older models only: see `tokenizer_config.json`'s added_tokens_decoder
  readonly modelConfig?: Json | undefined; // config.json
  readonly generationConfig?: Json | undefined;
  readonly chatTemplate?: string | undefined; // chat_template.jinja; wins over the one in tokenizer_config.json
  readonly vocab?: number | undefined; // the model's: an id beyond it has no embedding
}

/** How a text becomes ids. */
export interface EncodeOptions {
  /**
   * Puts the model's own first token (BOS) before the text. Default true. A text that a chat template made has its
   * control tokens already: pass false.
   */
  addSpecialTokens?: boolean;
}

/** Text to token ids and back, as the model's tokenizer.json says. */
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
  /** Every id that ends a reply, from all of the model's files; what the model has not is left out. */
  readonly eosIds: ReadonlySet<number>;
  readonly vocabSize: number; // highest id + 1; the model's own may be larger
  /** Special tokens by the names that chat templates use: `bos_token`, `pad_token`, ... */
  readonly specialTokens: DeclaredTokens['named'];
  readonly chatTemplate: string | undefined;
}

/**
 * Opens a tokenizer. This file and the library behind it are large: the engine loads them beside tokenizer.json.
 *
 * @throws {AtomoeError} bad-file - tokenizer.json lacks a part, or has ids that the model has not; unsupported-model -
 *   a part of an unknown kind
 */
export async function openTokenizer(files: TokenizerFiles): Promise<Tokenizer> {
  const { tokenizerJson, tokenizerConfig = {}, modelConfig = {}, generationConfig = {} } = files;
  const { type, ids: ownIds } = checkTokenizer(tokenizerJson);
  const { specialTokensMap = {}, vocab = Number.MAX_SAFE_INTEGER } = files;
  const declared = declaredTokens({ tokenizerJson, tokenizerConfig, specialTokensMap }, (content) =>
    ownIds.get(content),
  );
  checkFit(ownIds, declared, vocab);
  const addedIds = new Map(declared.added.map(({ content, id }) => [content, id]));
  checkPostProcessor(tokenizerJson['post_processor'], (token) => addedIds.get(token) ?? ownIds.get(token));
  const model = { ...(tokenizerJson['model'] as Json), type };
  const parts = { ...EMPTY_PARTS, ...tokenizerJson, model, added_tokens: [] };
  const library = construct(() => new HuggingFaceTokenizer(parts as never, libraryConfig(tokenizerConfig)));
  boundLibrary(library, declared.added, AddedToken);
  const table = tableOf(library, tokenizerJson, declared);
  new StreamingDetokenizer(table); // refuses a decoder that cannot stream now, and not in mid-reply

  const ids = (value: unknown) => idsOf(value).filter((id) => id >= 0 && id < vocab);
  const idOf = (token: string | undefined) => (token === undefined ? undefined : library.token_to_id(token));
  const named = (name: string) => contentOf(declared.named[name]);
  const [bosToken, eosToken] = [named('bos_token'), named('eos_token')];
  const bosId = idOf(bosToken) ?? ids(modelConfig['bos_token_id'])[0];
  const addsBos = tokenizerConfig['add_bos_token'] === true;
  if (addsBos && bosToken !== undefined && bosId === undefined) throw missingBos(bosToken);
  const stream = (options?: DetokenizerOptions) => new StreamingDetokenizer(table, options);
  const decode = (ids: readonly number[], options?: DetokenizerOptions) => {
    const detokenizer = stream(options);
    return ids.map((id) => detokenizer.push(id)).join('') + detokenizer.flush();
  };
  return {
    ...table,
    encode(text, { addSpecialTokens = true } = {}) {
      const { ids } = encodeWith(library, text, addSpecialTokens);
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
      ...ids(generationConfig['eos_token_id']),
      ...ids(modelConfig['eos_token_id']),
      ...ids(idOf(eosToken)),
    ]),
    vocabSize: library.model?.vocab.length ?? 0,
    specialTokens: declared.named,
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

/** What the library reads of tokenizer_config.json; the special tokens it gets by `added_tokens`. */
function libraryConfig(config: Json): Json {
  const names = ['remove_space', 'clean_up_tokenization_spaces', 'do_lowercase_and_remove_accent'];
  const booleans = Object.entries(config).filter(
    ([name, value]) => names.includes(name) && typeof value === 'boolean',
  );
  return Object.fromEntries(booleans);
}

function missingBos(token: string): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `tokenizer_config.json: add_bos_token is true, and bos_token is ${JSON.stringify(token.slice(0, 60))}, which is no ` +
      'token; wanted one of the vocabulary or of added_tokens; download it again',
  );
}

/** An id that the model has not reads another row of its embedding, or none. */
function checkFit(ownIds: ReadonlyMap<string, number>, { added }: DeclaredTokens, vocab: number): void {
  const all = [...ownIds, ...added.map(({ content, id }) => [content, id] as const)];
  const outside = all.find(([, id]) => id >= vocab);
  if (!outside) return;
  const [content, id] = outside;
  throw new AtomoeError(
    'bad-file',
    `the tokenizer does not fit the model: ${JSON.stringify(content.slice(0, 60))} has id ${id}, the model has ids ` +
      `below ${vocab}; take the tokenizer files of this very model`,
  );
}

function encodeWith(
  library: HuggingFaceTokenizer,
  text: string,
  addSpecialTokens: boolean,
): { ids: unknown[] } {
  try {
    return withPatternBudget(text.length, () =>
      library.encode(text, { add_special_tokens: addSpecialTokens }),
    );
  } catch (cause) {
    if (cause instanceof AtomoeError) throw cause;
    throw brokenTokenizer(cause);
  }
}

function construct(make: () => HuggingFaceTokenizer): HuggingFaceTokenizer {
  try {
    return make();
  } catch (cause) {
    throw brokenTokenizer(cause);
  }
}

function brokenTokenizer(cause: unknown): AtomoeError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new AtomoeError(
    'bad-file',
    `tokenizer.json cannot be used: ${why}; a Hugging Face tokenizer of a known kind is wanted, download it again ` +
      `or choose another model`,
    { cause },
  );
}

function tableOf(
  library: HuggingFaceTokenizer,
  tokenizerJson: Json,
  { added, special }: DeclaredTokens,
): TokenTable {
  const addedTokens = new Set(added.map(({ content }) => content));
  const decoder = tokenizerJson['decoder'];
  return {
    rawToken: (id) => library.id_to_token(id),
    isSpecial: (id) => special.has(library.id_to_token(id) ?? ''),
    isAdded: (rawToken) => addedTokens.has(rawToken),
    decoder: typeof decoder === 'object' ? (decoder as DecoderConfig | null) : null,
  };
}

/** One id, a list of ids, or nothing. */
function idsOf(value: unknown): number[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((id): id is number => typeof id === 'number' && Number.isInteger(id));
}

/**
 * One template, or several by name, of which the default is for plain chat.
 *
 * @throws {AtomoeError} bad-file
 */
function chatTemplateOf(value: unknown): string | undefined {
  if (typeof value === 'string' || value === undefined || value === null) return value ?? undefined;
  const named = namedTemplates(value);
  const chosen = named.find(([name]) => name === 'default') ?? named[0];
  if (!chosen) return undefined;
  const [name, template] = chosen;
  if (typeof name === 'string' && typeof template === 'string') return template;
  throw new AtomoeError(
    'bad-file',
    'tokenizer_config.json: chat_template is no text; wanted Jinja, or a list of objects with a name and a template; ' +
      'download it again',
  );
}

function namedTemplates(value: unknown): [unknown, unknown][] {
  if (!Array.isArray(value))
    return typeof value === 'object' && value ? Object.entries(value) : [[value, value]];
  return value.map((entry: unknown): [unknown, unknown] => {
    const isNamed = typeof entry === 'object' && entry !== null && 'name' in entry && 'template' in entry;
    return isNamed ? [entry.name, entry.template] : [undefined, undefined];
  });
}
