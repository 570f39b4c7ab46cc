/** What is put around each text has to be tokens that exist: one without an id would take every prompt with it. */
import { AtomoeError } from '../errors.ts';
import { bad, isObject, type Json } from './check-tokenizer.ts';

/** The id of a token, its own or an added one. */
type IdOf = (token: string) => number | undefined;

/**
 * @param processor - the `post_processor` of a tokenizer.json
 * @throws {AtomoeError} bad-file - it adds what is no token, or gives one another id than the vocabulary, or leaves out
 *   the text; unsupported-model - a name that means other tokens
 */
export function checkPostProcessor(processor: unknown, idOf: IdOf): void {
  if (!isObject(processor)) return;
  switch (processor['type']) {
    case 'Sequence':
      for (const each of listOf(processor['processors'], 'processors')) checkPostProcessor(each, idOf);
      return;
    case 'TemplateProcessing':
      checkTemplate(processor, idOf);
      return;
    case 'BertProcessing':
    case 'RobertaProcessing':
      for (const name of ['cls', 'sep']) {
        const [token, id] = listOf(processor[name], name);
        checkToken(token, id, idOf);
      }
  }
}

/** `[{ SpecialToken: { id } }, { Sequence: { id: 'A' } }]`: what comes before and behind the text. */
function checkTemplate(processor: Json, idOf: IdOf): void {
  const named = isObject(processor['special_tokens']) ? processor['special_tokens'] : {};
  let hasText = false;
  for (const piece of listOf(processor['single'], 'single')) {
    const { SpecialToken: special, Sequence: sequence } = isObject(piece) ? piece : {};
    if (isObject(sequence)) hasText ||= sequence['id'] === 'A';
    else if (isObject(special)) checkSpecial(special['id'], named, idOf);
    else throw bad('post_processor.single: an entry', piece, 'a SpecialToken or a Sequence');
  }
  if (!hasText) throw bad('post_processor.single', 'without the text', 'the Sequence "A" in it');
}

/** A name of the template, which means the token of the same name. */
function checkSpecial(name: unknown, named: Json, idOf: IdOf): void {
  const entry = typeof name === 'string' && Object.hasOwn(named, name) ? named[name] : undefined;
  const { tokens, ids } = isObject(entry) ? entry : {};
  const isOther = Array.isArray(tokens) && (tokens.length !== 1 || tokens[0] !== name);
  if (isOther) {
    throw new AtomoeError(
      'unsupported-model',
      `tokenizer.json: in post_processor ${shown(name)} means ${shown(tokens)}; wanted a token of that name; choose ` +
        'another model',
    );
  }
  checkToken(name, Array.isArray(ids) ? (ids as unknown[])[0] : undefined, idOf);
}

function checkToken(token: unknown, id: unknown, idOf: IdOf): void {
  const own = typeof token === 'string' ? idOf(token) : undefined;
  const fault =
    own === undefined
      ? 'which is no token; wanted one of the vocabulary or of added_tokens'
      : `as id ${shown(id)}; wanted ${own}, the id that it has in the vocabulary or in added_tokens`;
  if (own !== undefined && (id === undefined || id === own)) return;
  throw new AtomoeError(
    'bad-file',
    `tokenizer.json: post_processor adds ${shown(token)}, ${fault}; download it again`,
  );
}

function listOf(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw bad(`post_processor.${name}`, value, 'a list');
}

function shown(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 60);
}
