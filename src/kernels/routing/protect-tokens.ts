import source from '../../../shaders/routing/protect-tokens.wgsl?raw';
import { cross, defineKernel } from '../kernel.ts';
import { declareBindings } from './declare-bindings.ts';
import { sequencePart, withOffsets } from './sequence.ts';

const BINDINGS = { values: 'read', protection: 'write' } as const;

/**
 * Which tokens of a sequence keep all their experts, or lose all of them.
 *
 * values [tokens] f32 -> protection [tokens] u32
 */
export const protectTokens = defineKernel({
  name: 'protect-tokens',
  bindings: BINDINGS,
  bindingsOf: ({ division }) => withOffsets(BINDINGS, division),
  params: { tokens: 'u32', sequences: 'u32', top: 'f32', bottom: 'f32' },
  variants: cross({ division: ['one', 'offsets'], wg: [64] }),
  parts: ({ division }) => [
    declareBindings(withOffsets(BINDINGS, division), (name) => (name === 'values' ? 'f32' : 'u32')),
    sequencePart(division),
    { name: 'routing/protect-tokens.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ division, wg }) => `protect-tokens/${division}/wg${wg}`,
  grid: ({ sequences }: { readonly sequences: number }) => [sequences, 1, 1],
});
