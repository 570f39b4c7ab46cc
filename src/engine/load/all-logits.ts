import type { Runner } from '../run/runner.ts';

const PLAIN_REQUEST = { penalty: 1, temperature: 1, candidates: false, routes: false } as const;

/**
 * The logits of every position of a fresh prompt: [ids.length, vocab].
 *
 * @param mode - all positions in one step, or one after another through the KV cache
 */
export async function allLogits(
  runner: Runner,
  ids: readonly number[],
  vocab: number,
  mode: 'at-once' | 'one-by-one',
): Promise<Float32Array> {
  const state = await runner.openState();
  try {
    if (mode === 'at-once') return await runner.allLogits(state, { ...PLAIN_REQUEST, ids, past: 0 });
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
