/** Names of eviction policies: options are checked without the policies, which come with what streams experts. */

/** The names of the built-in policies, the default one first. */
export const POLICY_NAMES = ['ema', 'lru', 'lfu', 'lfru', 'random', 'segment-lookahead'] as const;

/** The name of a built-in policy. */
export type PolicyName = (typeof POLICY_NAMES)[number];
