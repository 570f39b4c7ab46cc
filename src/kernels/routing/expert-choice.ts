import acrossSoftmax from '../../../shaders/lib/across-softmax.wgsl?raw';
import acrossSum from '../../../shaders/lib/across-sum.wgsl?raw';
import source from '../../../shaders/routing/expert-choice.wgsl?raw';
import { render, type Access, type Part } from '../../gpu/program.ts';
import { reducePart } from '../common.ts';
import { cross, defineKernel, type ParamValues } from '../kernel.ts';
import { declareBindings } from './declare-bindings.ts';
import { sequencePart, withOffsets, type Division } from './sequence.ts';

/** How many tokens of a sequence each expert takes. */
export interface ExpertChoiceRule {
  /** Tokens of each expert, or the factor of tokens / experts, rounded. */
  readonly room: { readonly tokens: number } | { readonly factor: number; readonly round: 'ceil' | 'floor' };
  readonly least: number; // tokens of each expert
  readonly forceFirst?: boolean; // every expert takes the first token of the sequence
  readonly among?: number; // only tokens that have the expert among this many of their largest compete; default: all
  /** Raw weights, normalised over the tokens of each expert. Default: none. */
  readonly across?: { readonly normalise: 'sum' | 'softmax'; readonly epsilon?: number };
}

/** The normalisation over tokens. */
type Across = 'none' | 'sum' | 'softmax';

const PLAIN = { values: 'read', keys: 'write', given: 'write' } as const;
const ACROSS = { ...PLAIN, raw: 'read', shares: 'write' } as const;

function bindingsFor(across: Across, division: Division): Record<string, Access> {
  return withOffsets(across === 'none' ? PLAIN : ACROSS, division);
}

const U32 = new Set(['given', 'offsets']);

function acrossParts(across: Across): Part[] {
  if (across === 'none') return [];
  const part =
    across === 'sum'
      ? { name: 'lib/across-sum.wgsl', text: acrossSum }
      : { name: 'lib/across-softmax.wgsl', text: acrossSoftmax };
  return [reducePart(false), part];
}

/**
 * Each expert takes the tokens of a sequence with the largest values.
 *
 * values [tokens, experts] f32, raw [tokens, experts] f32 -> given [tokens, experts] u32, shares [tokens, experts] f32; keys
 * [tokens, experts] f32 is scratch
 */
export const expertChoice = defineKernel({
  name: 'expert-choice',
  bindings: PLAIN,
  bindingsOf: ({ across, division }) => bindingsFor(across, division),
  params: {
    ...{ tokens: 'u32', experts: 'u32', sequences: 'u32', per_expert: 'u32', least: 'u32' },
    ...{ rounds_up: 'u32', force_first: 'u32', among: 'u32', factor: 'f32', eps: 'f32' },
  },
  variants: cross({ across: ['none', 'sum', 'softmax'], division: ['one', 'offsets'], wg: [64] }),
  parts: ({ across, division }) => [
    declareBindings(bindingsFor(across, division), (name) => (U32.has(name) ? 'u32' : 'f32')),
    sequencePart(division),
    render({ name: 'routing/expert-choice.wgsl', text: source }, { across: across !== 'none' }),
    ...acrossParts(across),
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ across, division, wg }) => `expert-choice/${across}/${division}/wg${wg}`,
  grid: ({ experts, sequences }: { readonly experts: number; readonly sequences: number }) => [
    experts,
    sequences,
    1,
  ],
});

/** The values of the kernel's parameters for a rule. */
export function expertChoiceParams(
  { room, least, forceFirst = false, among, across }: ExpertChoiceRule,
  {
    tokens,
    experts,
    sequences,
  }: { readonly tokens: number; readonly experts: number; readonly sequences: number },
): ParamValues<typeof expertChoice> {
  const isFixed = 'tokens' in room;
  return {
    ...{ tokens, experts, sequences, least, force_first: Number(forceFirst), among: among ?? experts },
    per_expert: isFixed ? room.tokens : 0,
    factor: isFixed ? 0 : room.factor,
    rounds_up: Number(!isFixed && room.round === 'ceil'),
    eps: across?.epsilon ?? 0,
  };
}
