import { dense } from './dense.ts';

/** The built-in mixers by kind. That of dense layers is part of the core; the others are loaded when a spec names them. */
export const MIXERS = {
  attention: async () => (await import('./attention.ts')).attention,
  dense: () => dense,
  biasedAttention: async () => (await import('./biased-attention.ts')).biasedAttention,
  latentAttention: async () => (await import('./latent-attention.ts')).latentAttention,
  deltaNet: async () => (await import('./delta-net.ts')).deltaNet,
  stateSpace: async () => (await import('./state-space.ts')).stateSpace,
  shortConv: async () => (await import('./short-conv.ts')).shortConv,
} as const;

/** The name of a built-in mixer. */
export type MixerName = keyof typeof MIXERS;
