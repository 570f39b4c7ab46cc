import { NOT_FINITE, RECORD_HEAD_WORDS, recordWords } from './sample-record.ts';

/**
 * The record of sample-record.ts from logits [vocab]: the combined result of sample-blocks, sample-rank and sample-pick.
 */
export function sampleReference(
  logits: Float32Array,
  { candidates, inverseTemperature }: { candidates: number; inverseTemperature: number },
): Uint32Array<ArrayBuffer> {
  const count = Math.min(candidates, logits.length);
  const words = new Uint32Array(recordWords(candidates));
  const floats = new Float32Array(words.buffer);
  if (!logits.every(Number.isFinite)) {
    words[0] = NOT_FINITE;
    return words;
  }
  const best = bestIds(logits, count);
  const top = logits[best[0]!]!;
  let sum = 0;
  let tempered = 0;
  for (const logit of logits) {
    sum += Math.exp(logit - top);
    tempered += Math.exp((logit - top) * inverseTemperature);
  }
  words[0] = best[0]!;
  floats[1] = top;
  floats[2] = sum;
  floats[3] = tempered;
  words[4] = count;
  for (const [rank, id] of best.entries()) {
    words[RECORD_HEAD_WORDS + 2 * rank] = id;
    floats[RECORD_HEAD_WORDS + 2 * rank + 1] = logits[id]!;
  }
  return words;
}

/** Ids of the `count` largest logits in descending order, on ties the lower id first. */
export function bestIds(logits: Float32Array, count: number): Uint32Array<ArrayBuffer> {
  // Sort only logits that are at least as large as the count-th with their ids.
  const threshold = logits.toSorted().at(-count) ?? Infinity;
  const ids: number[] = [];
  for (let id = 0; id < logits.length; id += 1) if (logits[id]! >= threshold) ids.push(id);
  ids.sort((a, b) => logits[b]! - logits[a]! || a - b);
  return Uint32Array.from(ids.slice(0, count));
}
