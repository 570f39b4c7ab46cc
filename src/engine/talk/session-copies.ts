/** What sessions hold, copied, saved and restored: loaded with the first call. */
import type { RestoreReport } from '../api.ts';
import type { RunnerState } from '../run/runner.ts';
import type { SessionMemory } from './open-sessions.ts';
import { contextOf } from './request-context.ts';
import { packSession, readSaved, whyComputed } from './saved-session.ts';
import type { SessionParts } from './session.ts';
import { checkIds } from './token-ids.ts';

/** What a session holds. */
export interface Held {
  readonly memory: SessionMemory;
  readonly ids: readonly number[];
  readonly hooks: string; // and tensors with which the tokens were computed, as JSON; '' for none
}

/** Gives a new session the states of another. @param onFail - the new one could not be opened */
export async function cloneInto(
  { memory }: Held,
  from: Held,
  { runner, queue }: SessionParts,
  onFail: () => void,
): Promise<void> {
  const state = await from.memory.state;
  if (!state) return;
  memory.state = queue.run(() => runner.openState());
  const to = await memory.state.catch((error: unknown) => {
    onFail();
    throw error;
  });
  await queue.run(async () => runner.copyState(state, to));
}

/** @returns the session as bytes, see saved-session.ts */
export async function save(held: Held, parts: SessionParts): Promise<Uint8Array<ArrayBuffer>> {
  const { runner, queue, modelHash } = parts;
  const model = await modelHash();
  const state = await held.memory.state;
  return queue.run(() => packSession(runner, state, { ids: held.ids, hooks: held.hooks, model }));
}

/** A saved session that this model can take over. */
export interface Restorable {
  readonly ids: number[];
  readonly hooks: string;
  /** Gives a state what was saved, or computes it. */
  take(state: RunnerState, signal: AbortSignal | undefined): Promise<RestoreReport>;
}

/** @throws {AtomoeError} bad-input - no saved session, or ids that this model has not; context-full */
export async function restorable(given: Uint8Array, parts: SessionParts): Promise<Restorable> {
  const { runner, queue, model, modelHash } = parts;
  const saved = readSaved(given);
  const { hooks } = saved;
  const ids = [...saved.ids];
  if (ids.length > 0) checkIds(ids, model.spec.vocab, runner.contextTokens);
  const copies = await runner.stateCopies();
  const why = whyComputed(saved, copies, await modelHash());
  return {
    ids,
    hooks,
    async take(state, signal) {
      if (why !== undefined) {
        await compute(state, { ids, hooks }, parts, signal);
        return { tokens: ids.length, how: 'computed', why };
      }
      await queue.run(async () => copies.write(state, ids.length, saved.bytes));
      return { tokens: ids.length, how: 'copied' };
    },
  };
}

/** Brings a state up to tokens that no reply follows. */
async function compute(
  state: RunnerState,
  { ids, hooks }: Pick<Held, 'ids' | 'hooks'>,
  { runner, queue, model }: SessionParts,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (ids.length === 0) return;
  const context = contextOf(hooks, model, ids.length);
  const plain = { penalty: 1, temperature: 1, candidates: false, routes: false, ...context };
  await queue.run(async () => {
    for (let past = runner.rewindTo(state, 0); past < ids.length; past += runner.chunkTokens) {
      signal?.throwIfAborted();
      const chunk = ids.slice(past, past + runner.chunkTokens);
      await runner.prefill(state, { ...plain, ids: chunk, past }, signal);
    }
  });
}
