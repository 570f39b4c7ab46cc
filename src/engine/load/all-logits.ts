import { oneOf } from '../checks.ts';
import type { Runner } from '../run/runner.ts';
import { readIds } from '../talk/token-ids.ts';

const PLAIN_REQUEST = { penalty: 1, temperature: 1, candidates: false, routes: false } as const;

/**
 * The logits of every position of a fresh prompt: [ids.length, vocab]. Meanwhile there is a KV cache beside those of
 * sessions, whatever the memory budget.
 *
 * @param mode - all positions in one step, or one after another through the KV cache
 * @throws {AtomoeError} bad-input - wrong ids, or an unknown mode
 */
export async function allLogits(
  runner: Runner,
  given: readonly number[],
  vocab: number,
  mode: 'at-once' | 'one-by-one',
): Promise<Float32Array> {
  const ids = readIds(given, vocab, runner.contextTokens);
  oneOf('at-once', 'one-by-one')(mode, 'the mode of logits');
  const run = () => (mode === 'at-once' ? atOnce(runner, ids) : oneByOne(runner, ids, vocab));
  return runner.tools ? runner.tools.beyondBudget(run) : run();
}

async function atOnce(runner: Runner, ids: readonly number[]): Promise<Float32Array> {
  const state = await runner.openState();
  try {
    return await runner.allLogits(state, { ...PLAIN_REQUEST, ids, past: 0 });
  } finally {
    state.dispose();
  }
}

async function oneByOne(runner: Runner, ids: readonly number[], vocab: number): Promise<Float32Array> {
  const state = await runner.openState();
  try {
    const all = new Float32Array(ids.length * vocab);
    for (const [past, id] of ids.entries()) {
      const step = await runner.step(state, { ...PLAIN_REQUEST, ids: [id], past });
      all.set(await step.logits(), past * vocab);
    }
    return all;
  } finally {
    state.dispose();
  }
}
