/** Special tokens, wherever a model's files declare them: there are four places, and no model uses all of them. */
import { AtomoeError } from '../errors.ts';
import { LONGEST_TOKEN, type Json } from './check-tokenizer.ts';

/** The names under which the configs give single tokens; templates know them by the same names. */
const NAMES = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

/** A token that is written as it is, outside the model's own vocabulary. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly [flag: string]: unknown; // lstrip, rstrip, normalized, single_word
}

/** Added tokens, and the roles that files give them. */
export interface DeclaredTokens {
  /** For tokenizer.json: its own added tokens, then those that only other files declare. */
  readonly added: readonly AddedToken[];
  /** Never shown, and never part of a text: contents. */
  readonly special: ReadonlySet<string>;
  /** What chat templates are given: `bos_token` and the like, `additional_special_tokens` and a model's own names. */
  readonly named: Readonly<Record<string, string | readonly string[]>>;
}

/** The parsed files of a tokenizer. */
export interface TokenFiles {
  readonly tokenizerJson: Json;
  readonly tokenizerConfig: Json;
  readonly specialTokensMap: Json;
}

/**
 * Collects the tokens of all files. Where two files disagree, tokenizer.json has the id, and a token is special if any
 * file says so, as in transformers.
 *
 * @param idOf - ids of the model's own vocabulary
 * @throws {AtomoeError} bad-file - a token that is none
 */
export function declaredTokens(
  { tokenizerJson, tokenizerConfig, specialTokensMap }: TokenFiles,
  idOf: (content: string) => unknown,
): DeclaredTokens {
  const added = new Map<string, AddedToken>();
  const add = (token: AddedToken) => {
    const known = added.get(token.content);
    added.set(token.content, known ? { ...known, special: known.special || token.special } : token);
  };
  for (const token of listOf(tokenizerJson['added_tokens'], 'tokenizer.json: added_tokens')) {
    add(addedToken(token, undefined, 'tokenizer.json: added_tokens'));
  }
  const where = 'tokenizer_config.json: added_tokens_decoder';
  for (const [id, token] of Object.entries(objectOf(tokenizerConfig['added_tokens_decoder'], where))) {
    add(addedToken(token, /^\d+$/.test(id) ? Number(id) : Number.NaN, where));
  }
  const named = namedTokens({ ...specialTokensMap, ...withoutNull(tokenizerConfig) });
  const special = new Set(Object.values(named).flat());
  for (const content of special) {
    const id = added.get(content)?.id ?? idOf(content);
    if (typeof id === 'number') add({ id, content, special: true, normalized: false });
  }
  for (const { content, special: isSpecial } of added.values()) if (isSpecial) special.add(content);
  return { added: [...added.values()], special, named };
}

function namedTokens(config: Json): Record<string, string | string[]> {
  const named: Record<string, string | string[]> = {};
  for (const name of NAMES) {
    const content = contentOf(config[name]);
    if (content) named[name] = content;
  }
  const more = config['extra_special_tokens'];
  const lists = [config['additional_special_tokens'], more].filter((value) => Array.isArray(value));
  const contents = lists.flat().flatMap((token) => contentOf(token) || []);
  if (contents.length > 0) named['additional_special_tokens'] = contents;
  if (typeof more === 'object' && more !== null && !Array.isArray(more)) {
    for (const [name, token] of Object.entries(more)) {
      const content = contentOf(token);
      if (content && !Object.hasOwn(named, name)) named[name] = content;
    }
  }
  return named;
}

/** A token is in a config as a string or as an object with its content. */
export function contentOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  const content =
    typeof value === 'object' && value !== null && 'content' in value ? value.content : undefined;
  return typeof content === 'string' ? content : undefined;
}

function addedToken(value: unknown, id: number | undefined, where: string): AddedToken {
  const token = objectOf(value, where);
  const content = contentOf(token);
  const ownId = id ?? token['id'];
  const isId = typeof ownId === 'number' && Number.isSafeInteger(ownId) && ownId >= 0;
  if (content && content.length <= LONGEST_TOKEN && isId) {
    return { ...token, id: ownId, content, special: token['special'] === true };
  }
  throw new AtomoeError(
    'bad-file',
    `${where} holds ${JSON.stringify(value)?.slice(0, 100)} with id ${String(ownId)}; wanted text of at most ` +
      `${LONGEST_TOKEN} letters and a whole number from 0; download it again`,
  );
}

function withoutNull(config: Json): Json {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null));
}

function listOf(value: unknown, where: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw new AtomoeError('bad-file', `${where} is a ${typeof value}; wanted a list; download it again`);
}

function objectOf(value: unknown, where: string): Json {
  if (value === undefined || (value === null && where.endsWith('decoder'))) return {};
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  const found = value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
  throw new AtomoeError('bad-file', `${where} holds ${found}; wanted an object; download it again`);
}
