import source from '../../../shaders/sample/seen-mark.wgsl?raw';
import { foldGrid, gridPart } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

/**
 * Sets the bits of token ids in the bit set that `logitsPenalty` reads. A buffer write clears it.
 *
 * ids u32, `count` from `first` on -> seen [ceil(vocab / 32)] u32, in place; ids >= vocab are ignored
 */
export const seenMark = defineKernel({
  name: 'seen-mark',
  bindings: { ids: 'read', seen: 'write' },
  params: { first: 'u32', count: 'u32', vocab: 'u32' },
  variants: cross({ wg: [64] }),
  parts: () => [gridPart, { name: 'sample/seen-mark.wgsl', text: source }],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ wg }) => `seen-mark/wg${wg}`,
  grid: ({ count }: { readonly count: number }, { wg }) => foldGrid(Math.ceil(count / wg)),
});
