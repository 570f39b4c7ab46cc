import source from '../../../shaders/sample/logits-penalty.wgsl?raw';
import { foldGrid, gridPart } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Size in u32 words of a bit set over the vocabulary. */
export function seenWords(vocab: number): number {
  return Math.ceil(vocab / 32);
}

/**
 * Repetition penalty of the tokens seen so far, in place. A penalty of 1 has no effect: skip the dispatch.
 *
 * seen [ceil(vocab / 32)] u32, logits [vocab] f32 in place: x > 0 ? x / penalty : x * penalty
 */
export const logitsPenalty = defineKernel({
  name: 'logits-penalty',
  bindings: { seen: 'read', logits: 'write' },
  params: { vocab: 'u32', penalty: 'f32' },
  variants: cross({ wg: [64] }),
  parts: () => [gridPart, { name: 'sample/logits-penalty.wgsl', text: source }],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ wg }) => `logits-penalty/wg${wg}`,
  grid: ({ vocab }: { readonly vocab: number }, { wg }) => foldGrid(Math.ceil(vocab / wg)),
});
