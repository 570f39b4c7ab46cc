/** Which tokens may come next in a text that has to have a shape. */
import { AtomoeError } from '../../errors.ts';
import { unicodeToByte } from '../byte-alphabet.ts';
import { tokenBytes } from '../token-bytes.ts';
import type { Tokenizer } from '../tokenizer.ts';
import {
  openLibrary,
  saidLines,
  type CompiledGrammar,
  type GrammarCompiler,
  type StructuralTagFormat,
  type TagFormat,
} from './library.ts';

/** What a text has to be. */
export type TextShape =
  | { readonly kind: 'json' } // an object or a list
  | { readonly kind: 'schema'; readonly schema: Schema }
  | { readonly kind: 'grammar'; readonly text: string } // EBNF
  | { readonly kind: 'regex'; readonly pattern: string }
  | { readonly kind: 'calls'; readonly calls: readonly CallShape[]; readonly isOne: boolean }; // in lines, where several

/** JSON of a schema between two texts. */
export interface CallShape {
  readonly begin: string;
  readonly schema: Schema;
  readonly end: string;
}

type Schema = Readonly<Record<string, unknown>>;

/** The tokens of a model. */
export interface Vocabulary {
  readonly tokenizer: Tokenizer;
  readonly vocab: number; // logits of the model
  readonly eosIds: ReadonlySet<number>;
}

/** The mask of one text, which is read token by token. */
export interface TokenMask {
  /** One bit for each token of the model, in words of 32: whether it may come next. An end token may where the text is whole. */
  next(): Promise<Int32Array>;
  /** Reads a token. @returns false where it may not come here */
  accept(id: number): boolean;
  dispose(): void;
}

/** White space between the parts of JSON, at most: without a bound, a reply could consist of it. */
const MOST_SPACES = 2;

/** What the letters of tokens depend on. */
interface Lettered extends Vocabulary {
  readonly markers: string; // texts around calls: the control tokens in them have letters
}

/** The compiler of the last vocabulary: making one takes about a second for 150,000 tokens. */
let last:
  | {
      readonly tokenizer: WeakRef<Tokenizer>;
      readonly markers: string;
      readonly compiler: Promise<GrammarCompiler>;
    }
  | undefined;

/**
 * Opens the mask of a text.
 *
 * @throws {AtomoeError} bad-input - a schema or a grammar that the library does not read; unsupported-model - a worker of one
 *   script, which is built without the library
 */
export async function openMask(shape: TextShape, vocabulary: Vocabulary): Promise<TokenMask> {
  const library = openLibrary?.();
  if (!library) throw notCarried();
  const around = shape.kind === 'calls' ? shape.calls.flatMap(({ begin, end }) => [begin, end]) : [];
  const compiler = await compilerOf({ ...vocabulary, markers: [...new Set(around)].join('\n') });
  const compiled = await compile(compiler, shape);
  const matcher = await library.GrammarMatcher.createGrammarMatcher(compiled);
  return {
    next: () => matcher.getNextTokenBitmask(),
    accept: (id) => matcher.acceptToken(id),
    dispose: () => {
      matcher.dispose();
      compiled.dispose();
    },
  };
}

function compilerOf(vocabulary: Lettered): Promise<GrammarCompiler> {
  const { tokenizer, markers } = vocabulary;
  if (last?.tokenizer.deref() === tokenizer && last.markers === markers) return last.compiler;
  void last?.compiler.then((compiler) => compiler.dispose());
  const compiler = makeCompiler(vocabulary);
  last = { tokenizer: new WeakRef(tokenizer), markers, compiler };
  compiler.catch(() => (last = undefined));
  return compiler;
}

async function makeCompiler({ tokenizer, vocab, eosIds, markers }: Lettered): Promise<GrammarCompiler> {
  const library = openLibrary?.();
  if (!library) throw notCarried();
  const { TokenizerInfo, GrammarCompiler: Compiler } = library;
  const letters = Array.from({ length: vocab }, (_, id) => lettersOf(tokenizer, id, markers));
  const info = await TokenizerInfo.createTokenizerInfo(letters, 'byte_level', false, vocab, [...eosIds]);
  try {
    return await Compiler.createGrammarCompiler(info);
  } finally {
    info.dispose();
  }
}

const LETTERS = [...unicodeToByte].reduce<string[]>((letters, [letter, byte]) => {
  letters[byte] = letter;
  return letters;
}, []);

/** The bytes of a token in the alphabet of byte-level tokenizers; none of a control token, unless calls are marked with it. */
function lettersOf(tokenizer: Tokenizer, id: number, markers: string): string {
  const isMarker = () => markers.includes(tokenizer.tokenText(id));
  if (tokenizer.isSpecial(id) && !(markers !== '' && isMarker())) return '';
  return (tokenBytes(tokenizer, id) ?? []).map((byte) => LETTERS[byte]).join('');
}

async function compile(compiler: GrammarCompiler, shape: TextShape): Promise<CompiledGrammar> {
  try {
    switch (shape.kind) {
      case 'json':
        return await compiler.compileJSONSchema(...schemaArguments({ type: ['object', 'array'] }));
      case 'schema':
        return await compiler.compileJSONSchema(...schemaArguments(shape.schema));
      case 'grammar':
        return await compiler.compileGrammar(shape.text);
      case 'regex':
        return await compiler.compileStructuralTag({ type: 'regex', pattern: shape.pattern });
      case 'calls':
        return await compiler.compileStructuralTag(await callsFormat(shape.calls, shape.isOne));
    }
  } catch (cause) {
    throw new AtomoeError(
      'bad-input',
      `the shape of the reply (${shape.kind}) is not understood: ${whyNot(cause)}; wanted a JSON schema, a pattern or a ` +
        'grammar that XGrammar reads; correct it',
      { cause },
    );
  }
}

/** What the library is told of a schema: white space is free within bounds, and objects have no other fields. */
function schemaArguments(schema: Schema) {
  return [JSON.stringify(schema), true, undefined, undefined, true, MOST_SPACES] as const;
}

/** The library's own way from a schema to a tag sets no bound for white space. */
async function callsFormat(calls: readonly CallShape[], isOne: boolean): Promise<StructuralTagFormat> {
  const library = openLibrary?.();
  if (!library) throw notCarried();
  const tags: TagFormat[] = [];
  for (const { begin, schema, end } of calls) {
    const grammar = await library.Grammar.fromJSONSchema(...schemaArguments(schema));
    tags.push({ type: 'tag', begin, content: { type: 'grammar', grammar: grammar.toString() }, end });
    grammar.dispose();
  }
  return { type: 'tags_with_separator', tags, separator: '\n', at_least_one: true, stop_after_first: isOne };
}

/** The library aborts where it reads nothing further, and says why beside its error. */
function whyNot(cause: unknown): string {
  const said = /\[FATAL\] .*?:\d+: (.*)/.exec(saidLines.findLast((line) => line.includes('[FATAL]')) ?? '');
  if (said?.[1] !== undefined) return said[1];
  return cause instanceof Error ? cause.message : String(cause);
}

/** @throws {AtomoeError} unsupported-model - a worker of one script, which is built without the library */
export function assertLibrary(): void {
  if (!openLibrary) throw notCarried();
}

function notCarried(): AtomoeError {
  return new AtomoeError(
    'unsupported-model',
    'replies with a shape need the library XGrammar, and this worker is one script, which comes without it; wanted the ' +
      "package's own files, or createEngine in the page; serve the folder dist as it is, or choose createEngine",
  );
}
