/** SentencePiece vocabularies of a GGUF, as the `model`, `normalizer` and so on of a tokenizer.json. */
import type { Json } from './check-tokenizer.ts';
import { badKey } from './gguf-fields.ts';

/** What stands for a space in a piece. */
export const SPACE = '\u2581';

/** Numbers of `tokenizer.ggml.token_type`. */
export const TOKEN_TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** A vocabulary: three lists of one length. */
export interface Pieces {
  readonly tokens: readonly string[];
  readonly types: readonly number[];
  readonly scores: readonly number[];
}

/** Spaces become letters, and a text begins with one where the model was trained so. */
export function spaceNormalizer(hasPrefix: boolean): Json {
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: SPACE };
  const prepend = { type: 'Prepend', prepend: SPACE };
  return { type: 'Sequence', normalizers: hasPrefix ? [prepend, replace] : [replace] };
}

/** The way back: bytes to characters, and without the space that was put before the text. */
export function spaceDecoder(hasPrefix: boolean): Json {
  const decoders = [
    { type: 'Replace', pattern: { String: SPACE }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
  ];
  const strip = { type: 'Strip', content: ' ', start: 1, stop: 0 };
  return { type: 'Sequence', decoders: hasPrefix ? [...decoders, strip] : decoders };
}

/**
 * Whether text is made of the token. The others are written for what is no text, or are found in it before it is cut. User-defined
 * runs of spaces exist in a normalized text only.
 */
function isPiece(token: string, type: number | undefined): boolean {
  if (type === TOKEN_TYPES.userDefined) return token.includes(SPACE);
  return type === TOKEN_TYPES.normal || type === TOKEN_TYPES.unused;
}

/** Twice those of the largest vocabularies. */
const MOST_MERGES = 2 ** 20;

interface Merge {
  readonly left: string;
  readonly right: string;
  readonly score: number;
}

/**
 * SentencePiece joins the two neighbours that make the piece of the highest score; a tokenizer.json lists which pairs
 * join, the first first. So a piece gives a pair for each place where it can be cut into two pieces.
 *
 * Of two pairs that make one piece, SentencePiece takes the one further left in the text, the list the one that it has
 * first: the shorter left half, which is further left wherever the halves overlap in a run of one letter.
 *
 * @throws {AtomoeError} bad-file - so many that memory would not hold them
 */
export function mergesOf({ tokens, types, scores }: Pieces): [string, string][] {
  const pieces = new Set(tokens.filter((token, id) => isPiece(token, types[id])));
  const seen = new Set<string>(); // a text that is there twice is its first id
  const merges: Merge[] = [];
  for (const [id, token] of tokens.entries()) {
    if (!isPiece(token, types[id]) || seen.has(token)) continue;
    seen.add(token);
    for (let at = 1; at < token.length; at++) {
      const [left, right] = [token.slice(0, at), token.slice(at)];
      if (pieces.has(left) && pieces.has(right)) merges.push({ left, right, score: scores[id] ?? 0 });
    }
    if (merges.length > MOST_MERGES) {
      const found = `a list whose pieces are joined in more than ${MOST_MERGES} ways`;
      throw badKey('tokenizer.ggml.tokens', found, 'that of a vocabulary');
    }
  }
  merges.sort((a, b) => b.score - a.score); // stable: pairs of one piece stay in order
  return merges.map(({ left, right }) => [left, right]);
}

/**
 * The parts of a Unigram tokenizer.json.
 *
 * @param trims - runs of spaces count as one, and those at the ends not at all
 * @param composes - the file has a map of characters; the library stands in for it with NFKC
 */
export function unigramParts(
  { tokens, scores }: Pieces,
  {
    unknown,
    hasPrefix,
    trims,
    composes,
  }: { unknown: number; hasPrefix: boolean; trims: boolean; composes: boolean },
): Json {
  const trim = [
    { type: 'Strip', strip_left: true, strip_right: true },
    { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' },
  ];
  const normalizers = [...(composes ? [{ type: 'Precompiled' }] : []), ...(trims ? trim : [])];
  return {
    normalizer: normalizers.length > 0 ? { type: 'Sequence', normalizers } : null,
    pre_tokenizer: { type: 'Metaspace', replacement: SPACE, prepend_scheme: hasPrefix ? 'always' : 'never' },
    decoder: { type: 'Metaspace', replacement: SPACE, prepend_scheme: hasPrefix ? 'always' : 'never' },
    model: { type: 'Unigram', vocab: tokens.map((token, id) => [token, scores[id] ?? 0]), unk_id: unknown },
  };
}
