import source from '../../../shaders/routing/sinkhorn.wgsl?raw';
import { reducePart } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';
import { declareBindings } from './declare-bindings.ts';
import { sequencePart, withOffsets } from './sequence.ts';

const BINDINGS = { values: 'read', rows: 'write', balanced: 'write' } as const;

/**
 * Sinkhorn's iteration over the tokens of each sequence: exp(v / temperature), columns scaled to equal sums and rows to 1.
 *
 * values [tokens, experts] f32, offsets [sequences + 1] u32 -> balanced [tokens, experts] f32; rows [tokens] f32 is scratch
 */
export const sinkhorn = defineKernel({
  name: 'sinkhorn',
  bindings: BINDINGS,
  bindingsOf: ({ division }) => withOffsets(BINDINGS, division),
  params: { tokens: 'u32', experts: 'u32', sequences: 'u32', iterations: 'u32', temperature: 'f32' },
  variants: cross({ division: ['one', 'offsets'], wg: [64] }),
  parts: ({ division }) => [
    reducePart(false),
    declareBindings(withOffsets(BINDINGS, division), (name) => (name === 'rows' ? 'f32' : 'u32')),
    sequencePart(division),
    { name: 'routing/sinkhorn.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ division, wg }) => `sinkhorn/${division}/wg${wg}`,
  grid: ({ sequences }: { readonly sequences: number }) => [sequences, 1, 1],
});
