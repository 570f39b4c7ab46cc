/** The built-in expert kinds; each is loaded when a spec names it. */
export const EXPERT_KINDS = {
  gated: async () => (await import('./gated.ts')).gated,
  reluSquared: async () => (await import('./relu-squared.ts')).reluSquared,
  neuron: async () => (await import('./neuron.ts')).neuron,
} as const;

/** The name of a built-in expert kind. */
export type ExpertKindName = keyof typeof EXPERT_KINDS;
