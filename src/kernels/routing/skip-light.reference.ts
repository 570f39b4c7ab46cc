import { NO_EXPERT } from './skip-light.ts';

/**
 * Sets weights below `bound` (as f32) to 0 and, with `dropIds`, their ids to NO_EXPERT.
 *
 * ids, weights [pairs] -> changed copies
 */
export function skipLightReference(
  ids: Uint32Array,
  weights: Float32Array,
  { bound, dropIds }: { readonly bound: number; readonly dropIds: boolean },
): { readonly ids: Uint32Array<ArrayBuffer>; readonly weights: Float32Array<ArrayBuffer> } {
  const kept = { ids: Uint32Array.from(ids), weights: Float32Array.from(weights) };
  const rounded = Math.fround(bound);
  for (const [pair, weight] of weights.entries()) {
    if (weight >= rounded) continue;
    kept.weights[pair] = 0;
    if (dropIds) kept.ids[pair] = NO_EXPERT;
  }
  return kept;
}
