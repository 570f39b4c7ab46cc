import source from '../../../shaders/routing/attention-received.wgsl?raw';
import { reducePart } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';
import { declareBindings } from './declare-bindings.ts';
import { sequencePart, withOffsets } from './sequence.ts';

const BINDINGS = { links: 'read', importance: 'write' } as const;

/**
 * The share of the largest attention that a token of its sequence receives.
 *
 * links [tokens, width] f32 -> importance [tokens] f32
 */
export const attentionReceived = defineKernel({
  name: 'attention-received',
  bindings: BINDINGS,
  bindingsOf: ({ division }) => withOffsets(BINDINGS, division),
  params: { tokens: 'u32', sequences: 'u32', width: 'u32' },
  variants: cross({ division: ['one', 'offsets'], wg: [64] }),
  parts: ({ division }) => [
    reducePart(false),
    declareBindings(withOffsets(BINDINGS, division), (name) => (name === 'offsets' ? 'u32' : 'f32')),
    sequencePart(division),
    { name: 'routing/attention-received.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ division, wg }) => `attention-received/${division}/wg${wg}`,
  grid: ({ sequences }: { readonly sequences: number }) => [sequences, 1, 1],
});
