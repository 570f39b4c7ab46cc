/**
 * Prompt lookup: what followed the last few tokens when they occurred before is a draft of what follows now, and one step checks
 * all of it (speculative decoding, Leviathan and others, 2023, with n-grams in the place of a smaller model).
 */
import { fields, oneOf, wholeFrom, type Table } from '../checks.ts';
import type { NgramOptions } from './options.ts';
import type { Decoder, DecodedToken, DecodingStrategy, Prediction } from './strategy.ts';

const TABLE: Table<NgramOptions> = {
  kind: oneOf('ngram'),
  draft: wholeFrom(1, 15), // with the token before it, what one step checks
  longest: wholeFrom(1, 16),
};

/** @throws {AtomoeError} bad-input - an option */
export function ngram(given: unknown): DecodingStrategy {
  const { draft = 8, longest = 3 } = fields(TABLE)(given, 'decoding');
  return { name: 'ngram', decode: (decoder) => speculate(decoder, draft, longest) };
}

async function* speculate(
  decoder: Decoder,
  mostDrafted: number,
  longest: number,
): AsyncGenerator<DecodedToken> {
  const { prompt, state, options, contextTokens, draftTokens } = decoder;
  const most = Math.min(mostDrafted, draftTokens - 1);
  const said = [...prompt];
  const counts = { steps: 0, drafted: 0, accepted: 0, repeated: 0 };
  let draft: readonly number[] = [];
  let predictions: readonly Prediction[] = [decoder.first];
  for (;;) {
    for (const [at, checked] of predictions.entries()) {
      const isDoubtful = draft.length > 0 && options.temperature === 0 && isClose(checked);
      if (isDoubtful) {
        counts.repeated += 1;
        await state.rewind(said.length - 1);
      }
      const token = decoder.choose(isDoubtful ? await state.step(said.slice(-1)) : checked);
      const isDrafted = token.id === draft[at];
      if (isDrafted) counts.accepted += 1;
      decoder.report(counts);
      yield token;
      said.push(token.id);
      if (isDoubtful || !isDrafted) break;
    }
    await state.rewind(said.length - 1); // all but the last token are read
    const left = prompt.length + options.maxTokens - said.length;
    draft = draftOf(said, longest, Math.min(most, left - 1, contextTokens - said.length));
    const read = [...said.slice(-1), ...draft];
    predictions = draft.length > 0 ? await state.stepAll(read) : [await state.step(read)];
    counts.steps += 1;
    counts.drafted += draft.length;
  }
}

/**
 * What followed the last tokens when they came before: the longest run of them that occurs, where it occurred last. A run
 * that overlaps its earlier self goes on as it began.
 */
export function draftOf(said: readonly number[], longest: number, count: number): number[] {
  for (let length = Math.min(longest, said.length - 1); length > 0; length -= 1) {
    const end = lastEnd(said, length);
    if (end === undefined) continue;
    const draft: number[] = [];
    for (let at = end; draft.length < count; at += 1) draft.push(said[at] ?? draft[at - said.length] ?? 0);
    return draft;
  }
  return [];
}

/** Where the last `length` tokens ended when they came before. */
function lastEnd(said: readonly number[], length: number): number | undefined {
  const first = said.length - length;
  for (let start = first - 1; start >= 0; start -= 1) {
    let same = 0;
    while (same < length && said[start + same] === said[first + same]) same += 1;
    if (same === length) return start + length;
  }
  return undefined;
}

/**
 * Logits of one step of several tokens and of several steps differ by rounding (1e-5 of f32 activations, 1e-2 of f16): where
 * the two best are closer than this share of the best, a step of its own decides.
 */
const CLOSE = 1e-3;

function isClose({ best, logits = new Float32Array(0) }: Prediction): boolean {
  const most = logits[best] ?? 0;
  const bound = most - CLOSE * Math.max(1, Math.abs(most));
  return logits.some((logit, id) => logit > bound && id !== best);
}
