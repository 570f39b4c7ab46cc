import laneSource from '../../../shaders/routing/hooked-gate-lane.wgsl?raw';
import source from '../../../shaders/routing/hooked-gate.wgsl?raw';
import { render } from '../../gpu/program.ts';
import { defineKernel } from '../kernel.ts';
import { gate, gateParts, listedGates, PLAIN_GATE, type GateSize } from './gate.ts';

/** The first id of a token that chooses for itself while others are replayed. */
export const FREE_TOKEN = 0xffffffff;

/** Numbers before the slots of the ranks. */
const HEAD = 3;

/** What takes the place of the selection in one layer, for all tokens of a request. */
export interface ChoiceHook {
  readonly ranks?: readonly number[] | undefined; // of the sorted selection values, each once, at most topK
  readonly replays: boolean;
  readonly replaysWeights: boolean;
}

/** Elements of the buffer of a layer's hooks: those of the layer, then those of each token. */
export function hooksSize({ experts, topK }: Omit<GateSize, 'tokens'>): { fixed: number; perToken: number } {
  return { fixed: HEAD + experts, perToken: 2 * topK };
}

/** The hooks of a layer as the kernel reads them: `hooksSize().fixed` words. */
export function packChoice(
  { ranks, replays, replaysWeights }: ChoiceHook,
  { experts, topK }: Omit<GateSize, 'tokens'>,
): Uint32Array<ArrayBuffer> {
  const chosen = ranks ?? Array.from({ length: topK }, (_, rank) => rank);
  const words = new Uint32Array(HEAD + experts).fill(topK, HEAD);
  words.set([Math.max(...chosen) + 1, Number(replays), Number(replaysWeights)]);
  chosen.forEach((rank, slot) => (words[HEAD + rank] = slot));
  return words;
}

const PLAIN = { ...PLAIN_GATE, hooks: 'read' } as const;
const FACTORED = { ...PLAIN, factors: 'read' } as const;

/**
 * The gate kernel with the hooks of a request: masked logits (hook-logits) are never chosen, other ranks than the first may
 * be, and the routes of tokens may be given. All else is the gate's own code, so that the weights have its bits.
 *
 * As the gate's, and hooks [fixed + perToken * tokens] u32 (`hooksSize`, `packChoice`; per token top_k ids, then the bits of
 * top_k weights)
 */
export const hookedGate = defineKernel({
  ...gate,
  name: 'hooked-gate',
  bindings: FACTORED,
  bindingsOf: ({ factored }) => (factored ? FACTORED : PLAIN),
  variants: listedGates(),
  parts: (variant) => [
    ...gateParts(variant, true),
    render({ name: 'routing/hooked-gate.wgsl', text: source }, { factored: variant.factored }),
    ...(variant.form === 'lane' ? [{ name: 'routing/hooked-gate-lane.wgsl', text: laneSource }] : []),
  ],
  key: (variant) => `hooked-${gate.key(variant)}`,
});
