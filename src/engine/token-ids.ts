import { AtomoeError } from '../errors.ts';

/**
 * Every list of ids passes here before it reaches a runner, wherever it came from: kernels read embeddings by id.
 *
 * @throws {AtomoeError} bad-input - none, or one that the model has not; context-full
 */
export function checkIds(ids: readonly number[], vocab: number, contextTokens: number): void {
  if (ids.length === 0)
    throw new AtomoeError('bad-input', 'there are no ids; wanted at least one; give token ids');
  const stranger = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocab);
  if (stranger !== undefined) {
    throw new AtomoeError(
      'bad-input',
      `token id ${stranger} is outside the vocabulary of ${vocab}; check the ids`,
    );
  }
  if (ids.length > contextTokens) {
    throw new AtomoeError(
      'context-full',
      `${ids.length} ids do not fit the context of ${contextTokens} tokens; give fewer, or load with more contextTokens`,
    );
  }
}
