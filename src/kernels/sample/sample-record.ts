/**
 * Length of the head of a sample record, the result of sampling that the CPU reads. The record in u32 words:
 *
 *   0  id of the largest logit, the lowest id on ties; NOT_FINITE if any logit is infinite or NaN
 *   1  that logit (f32 bits)
 *   2  sum over the vocabulary of exp(logit - largest) (f32 bits)
 *   3  sum over the vocabulary of exp((logit - largest) / temperature) (f32 bits)
 *   4  number of candidates: min(64 or 256, vocab)
 *   5  id and logit (f32 bits) of each candidate, in descending order of logits, on ties in ascending order of ids
 *
 * Greedy decoding needs word 0 only; an embedding can read it from the record.
 */
export const RECORD_HEAD_WORDS = 5;

/** Replaces the best id if a logit is infinite or NaN. */
export const NOT_FINITE = 0xffffffff;

/** Numbers of candidates with a compiled kernel. */
export type CandidateCount = 64 | 256;

/** Size of a record in u32 words. */
export function recordWords(candidates: number): number {
  return RECORD_HEAD_WORDS + 2 * candidates;
}

/** The best logits after the repetition penalty, in order, and sums over all logits. */
export interface Candidates {
  readonly ids: Uint32Array;
  readonly logits: Float32Array; // descending; on ties the lower id first
  readonly vocab: number; // number of all logits
  readonly sum: number; // of exp(logit - largest) over the vocabulary
  readonly temperedSum: number; // over the vocabulary, of exp((logit - largest) / temperature)
}

/** Reads a record; undefined if a logit was not finite. */
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
