import source from '../../../shaders/routing/mix-tokens.wgsl?raw';
import { foldGrid, gridPart } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

/**
 * Scores of tokens mixed by a matrix of links between them.
 *
 * links [tokens, width] f32, values [tokens, experts] f32 -> y [tokens, experts] f32
 */
export const mixTokens = defineKernel({
  name: 'mix-tokens',
  bindings: { links: 'read', values: 'read', y: 'write' },
  params: { tokens: 'u32', experts: 'u32', width: 'u32' },
  variants: cross({ wg: [64] }),
  parts: () => [gridPart, { name: 'routing/mix-tokens.wgsl', text: source }],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ wg }) => `mix-tokens/wg${wg}`,
  grid: ({ elements }: { readonly elements: number }, { wg }) => foldGrid(Math.ceil(elements / wg)),
});
