import { gated } from './gated.ts';
import { neuron } from './neuron.ts';

/** What experts compute, by kind. */
export const EXPERT_KINDS = { gated, neuron } as const;

export type ExpertKindName = keyof typeof EXPERT_KINDS;
