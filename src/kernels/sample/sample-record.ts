/**
 * What sampling leaves for the CPU, in u32 words:
 *
 *   0  id of the largest logit, the lowest of equals; NOT_FINITE where any logit is infinite or not a number
 *   1  that logit (f32 bits)
 *   2  sum over the vocabulary of exp(logit - largest) (f32 bits)
 *   3  sum over the vocabulary of exp((logit - largest) / temperature) (f32 bits)
 *   4  number of candidates: min(64 or 256, vocab)
 *   5  id and logit (f32 bits) of each candidate, the largest logit first, the lower id first among equals
 *
 * Greedy decoding needs word 0 alone, and an embedding may read it where it is.
 */
export const RECORD_HEAD_WORDS = 5;

/** In the place of the best id: some logit is infinite or not a number. */
export const NOT_FINITE = 0xffffffff;

/** Numbers of candidates that kernels are made for. */
export type CandidateCount = 64 | 256;

/** Words of a record with room for this many candidates. */
export function recordWords(candidates: number): number {
  return RECORD_HEAD_WORDS + 2 * candidates;
}

/** Logits after the repetition penalty: the best of them, in order, and what the rest adds up to. */
export interface Candidates {
  readonly ids: Uint32Array;
  readonly logits: Float32Array; // descending; the lower id first among equals
  readonly vocab: number; // how many logits there are in all
  readonly sum: number; // over the whole vocabulary, of exp(logit - largest)
  readonly temperedSum: number; // over the whole vocabulary, of exp((logit - largest) / temperature)
}

/** Reads a record. `undefined`: some logit was not finite. */
export function parseRecord(words: Uint32Array<ArrayBuffer>, vocab: number): Candidates | undefined {
  const [best = NOT_FINITE, , , , count = 0] = words;
  if (best === NOT_FINITE) return undefined;
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const pairs = Array.from({ length: count }, (_, rank) => RECORD_HEAD_WORDS + 2 * rank);
  return {
    ids: Uint32Array.from(pairs, (at) => words[at] ?? 0),
    logits: Float32Array.from(pairs, (at) => floats[at + 1] ?? 0),
    vocab,
    sum: floats[2] ?? 0,
    temperedSum: floats[3] ?? 0,
  };
}
