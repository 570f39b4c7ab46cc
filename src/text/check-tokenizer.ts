/** What a tokenizer.json must be like, before a library that believes everything builds itself from it. */
import { AtomoeError } from '../errors.ts';

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

const MODELS = ['BPE', 'Unigram', 'WordPiece'] as const;

/** Chains of normalizers and the like are short; deeper ones are made to overflow a stack. */
const MOST_NESTED = 16;

/** Of a piece that text is searched for, and of a replacement: real ones have some 100 letters. */
export const LONGEST_TEXT = 1024;

/** Of an added token: each letter of a text may begin one. */
export const LONGEST_TOKEN = 256;

/** The library rewrites a pattern in time that grows with the square of its length. */
const LONGEST_PATTERN = 16_384;

/** Parts in all the lists of a normalizer and the like: each may lengthen what the one before it made. */
const MOST_PARTS = 64;

/** WordPiece tries all pieces of a word: the library's 100 is what all models have. */
const LONGEST_WORD = 1000;

/** The kind of a tokenizer's model. */
export type ModelType = 'BPE' | 'Unigram' | 'WordPiece';

/** The model of a tokenizer.json whose fields were checked. */
export interface CheckedModel {
  readonly type: ModelType; // older files do not say it
  readonly ids: ReadonlyMap<string, number>; // of the model's own vocabulary
}

/**
 * @throws {AtomoeError} bad-file - a part that is not what it should be; unsupported-model - a model of another kind
 */
export function checkTokenizer(tokenizerJson: Json): CheckedModel {
  const { model } = tokenizerJson;
  if (!isObject(model)) throw bad('model', model, 'an object');
  const type = modelType(model);
  for (const part of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder']) {
    if (checkPart(tokenizerJson[part], part, 0) > MOST_PARTS)
      throw bad(part, 'longer', `at most ${MOST_PARTS} parts`);
  }
  for (const name of [
    'unk_token',
    'end_of_word_suffix',
    'continuing_subword_prefix',
    'continuing_subword_suffix',
  ]) {
    const text = model[name] ?? undefined;
    if (text !== undefined && typeof text !== 'string') throw bad(`model.${name}`, text, 'a text');
    if (text !== undefined && text.length > LONGEST_TEXT) throw tooLong(`model.${name}`, text);
  }
  return { type, ids: type === 'Unigram' ? listedVocab(model) : namedVocab(model, type) };
}

/** The library runs a model of a kind that it does not know as if it were another. */
function modelType({ type, vocab, merges }: Json): ModelType {
  const known = MODELS.find((name) => name === type);
  if (known) return known;
  if (type === undefined || type === null) {
    if (Array.isArray(vocab)) return 'Unigram';
    return merges === undefined && vocab !== undefined ? 'WordPiece' : 'BPE';
  }
  throw new AtomoeError(
    'unsupported-model',
    `tokenizer.json: the model type is ${shown(type)}, BPE, Unigram or WordPiece is wanted; choose another model`,
  );
}

/** `{ token: id }`: BPE with merges, WordPiece without. */
function namedVocab(model: Json, type: ModelType): ReadonlyMap<string, number> {
  const { vocab } = model;
  if (!isObject(vocab)) throw bad('model.vocab', vocab, 'an object of ids');
  const ids = new Map<string, number>();
  for (const [token, id] of Object.entries(vocab)) {
    if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) {
      throw bad(`model.vocab: the id of ${shown(token)}`, id, 'a whole number from 0');
    }
    ids.set(token, id);
  }
  if (type === 'BPE') checkMerges(model['merges']);
  const longest = model['max_input_chars_per_word'] ?? LONGEST_WORD;
  if (typeof longest !== 'number' || !(longest <= LONGEST_WORD)) {
    throw bad('model.max_input_chars_per_word', longest, `a number up to ${LONGEST_WORD}`);
  }
  return ids;
}

function checkMerges(merges: unknown): void {
  if (!Array.isArray(merges)) throw bad('model.merges', merges, 'a list');
  const isPair = (merge: unknown) =>
    typeof merge === 'string' ||
    (Array.isArray(merge) && merge.length === 2 && merge.every((part) => typeof part === 'string'));
  const invalid: unknown = merges.find((merge: unknown) => !isPair(merge));
  if (invalid !== undefined) throw bad('model.merges: an entry', invalid, 'two texts');
}

/** `[[token, score], ...]`, of Unigram. */
function listedVocab(model: Json): ReadonlyMap<string, number> {
  const entries: unknown = model['vocab'];
  if (!Array.isArray(entries) || entries.length === 0) throw bad('model.vocab', entries, 'a list of pairs');
  const ids = new Map<string, number>();
  for (const [id, entry] of (entries as unknown[]).entries()) {
    const [token, score] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof token !== 'string' || typeof score !== 'number') {
      throw bad(`model.vocab: entry ${id}`, entry, 'a text and its score');
    }
    if (token.length > LONGEST_TEXT) throw tooLong(`model.vocab: entry ${id}`, token);
    ids.set(token, id);
  }
  const unknown = model['unk_id'] ?? undefined;
  const isId = typeof unknown === 'number' && Number.isInteger(unknown) && unknown >= 0;
  if (unknown !== undefined && !(isId && unknown < entries.length)) {
    throw bad('model.unk_id', unknown, `the id of one of ${entries.length} tokens`);
  }
  return ids;
}

const LISTS: Readonly<Record<string, string>> = {
  normalizer: 'normalizers',
  pre_tokenizer: 'pretokenizers',
  post_processor: 'processors',
  decoder: 'decoders',
};

/** @returns how many parts it is */
function checkPart(part: unknown, kind: string, depth: number): number {
  if (part === undefined || (part === null && depth === 0)) return 0;
  if (!isObject(part)) throw bad(kind, part, 'an object');
  if (depth > MOST_NESTED) throw bad(kind, 'deeper', `at most ${MOST_NESTED} levels`);
  if (typeof part['type'] !== 'string') throw bad(`${kind}.type`, part['type'], 'a name');
  if (part['type'] === 'Sequence') {
    const list = part[LISTS[kind] ?? ''];
    if (!Array.isArray(list)) throw bad(`${kind}.${LISTS[kind]}`, list, 'a list');
    let parts = 1;
    for (const each of list as unknown[]) parts += checkPart(each, kind, depth + 1);
    return parts;
  }
  checkLeaf(part, kind);
  return part['type'] === 'ByteLevel' && kind === 'pre_tokenizer' ? MOST_PARTS / 2 : 1; // each doubles what is not ASCII
}

function checkLeaf(part: Json, kind: string): void {
  if (part['type'] === 'FixedLength') {
    const { length } = part;
    const isLength = typeof length === 'number' && Number.isInteger(length) && length > 0;
    if (!isLength) throw bad(`${kind}: the length of FixedLength`, length, 'a whole number from 1');
  }
  if ('pattern' in part) checkPattern(part['pattern'], kind);
  for (const name of ['content', 'prepend', 'replacement', 'str_rep', 'prefix', 'suffix']) {
    const text = part[name] ?? undefined;
    if (text !== undefined && typeof text !== 'string') throw bad(`${kind}.${name}`, text, 'a text');
    // Metaspace writes it for each space: it is one letter, or spaces would make spaces.
    const longest = name === 'replacement' || name === 'str_rep' ? 2 : LONGEST_TEXT;
    if (typeof text === 'string' && text.length > longest) throw tooLong(`${kind}.${name}`, text);
  }
}

function checkPattern(pattern: unknown, kind: string): void {
  const text = isObject(pattern) ? (pattern['String'] ?? pattern['Regex']) : undefined;
  const longest = isObject(pattern) && pattern['String'] !== undefined ? LONGEST_TEXT : LONGEST_PATTERN;
  if (typeof text === 'string' && text !== '' && text.length <= longest) return;
  throw bad(`${kind}.pattern`, pattern, 'a text or a regular expression of 1 to 16384 letters');
}

function tooLong(what: string, text: string): AtomoeError {
  return bad(what, `${text.length} letters long`, `at most ${LONGEST_TEXT} letters`);
}

/** Whether a value is a JSON object: no array, not null. */
export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 100);
}

/** @param what - the part of tokenizer.json */
export function bad(what: string, found: unknown, wanted: string): AtomoeError {
  const actual = found === undefined ? 'missing' : shown(found);
  return new AtomoeError(
    'bad-file',
    `tokenizer.json cannot be used: ${what} is ${actual}; wanted ${wanted}; download it again`,
  );
}
