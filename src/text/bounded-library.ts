/** The library's tokenizer, built so that nothing that the model brought runs before it is bounded. */
import type { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { AtomoeError } from '../errors.ts';
import { LONGEST_TOKEN } from './check-tokenizer.ts';
import type { AddedToken } from './declared-tokens.ts';
import { Pattern, withPatternBudget } from './pattern.ts';

/** What is changed of it; its own types hide that. */
interface Inside {
  readonly normalizer: (Part & ((text: string) => string)) | null;
  readonly pre_tokenizer: Part | null;
  readonly model: { readonly tokens_to_ids: Map<string, number>; readonly vocab: string[] };
  readonly added_tokens_map: Map<string, LibraryToken>;
  splitter_unnormalized: object;
  splitter_normalized: object;
}

/** A normalizer or a pre-tokenizer. */
interface Part {
  pattern?: RegExp | Pattern | null;
  readonly config?: {
    readonly type?: string;
    readonly pattern?: { readonly String?: string; readonly Regex?: string };
  };
  readonly normalizers?: readonly (Part | null)[];
  readonly tokenizers?: readonly (Part | null)[];
}

interface LibraryToken {
  readonly id: number;
  readonly content: string;
  readonly normalized: boolean;
}

/**
 * Puts patterns that end in the place of those that the model brought (the library's own are harmless), then adds the
 * added tokens, which it normalizes.
 *
 * @param library - made without added tokens
 * @param Token - the library's class
 */
export function boundLibrary(
  library: HuggingFaceTokenizer,
  added: readonly AddedToken[],
  Token: new (config: never) => LibraryToken,
): void {
  const inside = library as unknown as Inside;
  for (const part of [inside.normalizer, inside.pre_tokenizer]) if (part) boundPart(part);
  const [plain, normalized]: [string[], string[]] = [[], []];
  for (const token of added.map((config) => new Token(config as never))) {
    const { id, content } = token;
    inside.model.tokens_to_ids.set(content, id);
    inside.model.vocab[id] = content;
    inside.added_tokens_map.set(content, token);
    if (token.normalized && inside.normalizer) {
      const form = withPatternBudget(content.length, () => inside.normalizer?.(content) ?? content);
      if (form.length > LONGEST_TOKEN) throw tooLong(content);
      normalized.push(form);
      inside.added_tokens_map.set(form, token);
    } else plain.push(content);
  }
  const Splitter = inside.splitter_normalized.constructor as new (texts: string[]) => object;
  inside.splitter_unnormalized = new Splitter(plain);
  inside.splitter_normalized = new Splitter(normalized.filter((form) => form !== ''));
}

function tooLong(content: string): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `tokenizer.json: the normalizer makes more than ${LONGEST_TOKEN} letters of the added token ` +
      `${JSON.stringify(content.slice(0, 60))}; wanted fewer; choose another model`,
  );
}

/** GPT-2's pattern with white space as Unicode has it: JavaScript's `\s` takes U+FEFF and leaves out U+0085. */
const BYTE_LEVEL =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

function boundPart(part: Part): void {
  const given = part.config?.pattern;
  if (part.config?.type === 'ByteLevel') part.pattern = BYTE_LEVEL;
  if (given?.Regex !== undefined && part.pattern instanceof RegExp) {
    part.pattern = new Pattern({ source: part.pattern.source }); // the library has rewritten Oniguruma's syntax
  } else if (given?.String !== undefined) part.pattern = new Pattern({ literal: given.String });
  for (const inner of [...(part.normalizers ?? []), ...(part.tokenizers ?? [])]) if (inner) boundPart(inner);
}
