import { AtomoeError } from '../../errors.ts';
import { guarded, listOf, show, type Check } from '../checks.ts';

const MOST_IDS = 10_000_000;

const anything: Check<unknown> = (value) => value;

/**
 * Ids that a caller gives, as a list of their own.
 *
 * @throws {AtomoeError} bad-input; context-full
 */
export function readIds(given: unknown, vocab: number, contextTokens: number): readonly number[] {
  const list = guarded('ids', () =>
    given instanceof Int32Array || given instanceof Uint32Array ? Array.from(given) : given,
  );
  const ids = listOf(anything, MOST_IDS, 'a list of token ids')(list, 'ids') as number[];
  checkIds(ids, vocab, contextTokens);
  return ids;
}

/**
 * Every list of ids passes here before it reaches a runner, from any source: kernels read embeddings by id.
 *
 * @throws {AtomoeError} bad-input - none, or one that the model has not; context-full
 */
export function checkIds(ids: readonly number[], vocab: number, contextTokens: number): void {
  if (ids.length === 0)
    throw new AtomoeError('bad-input', 'there are no ids; wanted at least one; give token ids');
  const isUnknown = (id: unknown) => !Number.isInteger(id) || Number(id) < 0 || Number(id) >= vocab;
  if (ids.some(isUnknown)) {
    const unknownId: unknown = ids.find(isUnknown);
    throw new AtomoeError(
      'bad-input',
      `token id ${show(unknownId)} is outside the vocabulary of ${vocab}; check the ids`,
    );
  }
  if (ids.length > contextTokens) {
    throw new AtomoeError(
      'context-full',
      `${ids.length} ids do not fit the context of ${contextTokens} tokens; give fewer, or load with more contextTokens`,
    );
  }
}

/** What a reply needs of its prompt. @throws {AtomoeError} bad-input; context-full */
export function checkPromptLength(tokens: number, contextTokens: number): void {
  if (tokens === 0) {
    throw new AtomoeError(
      'bad-input',
      'the prompt is empty; wanted at least one token; write the beginning of a text',
    );
  }
  if (tokens > contextTokens) {
    throw new AtomoeError(
      'context-full',
      `the prompt is ${tokens} tokens long, the context holds ${contextTokens}; shorten it, or load ` +
        'the model with a larger contextTokens',
    );
  }
}

/** Tokens that two lists begin with; at least one of `wanted` is left to compute. */
export function commonPrefix(cached: readonly number[], wanted: readonly number[]): number {
  let length = 0;
  const most = Math.min(cached.length, wanted.length - 1);
  while (length < most && cached[length] === wanted[length]) length += 1;
  return length;
}
