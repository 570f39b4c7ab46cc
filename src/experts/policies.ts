/** Eviction policies by name. */
import { ema, lfru, lfu, lru, random, segmentLookahead, type MakePolicy } from './policy.ts';

/** Every policy that an engine can follow, the default one first. A new one is a row here. */
export const POLICIES = {
  ema: ema(),
  lru: lru(),
  lfu: lfu(),
  lfru: lfru(),
  random: random(),
  'segment-lookahead': segmentLookahead(),
} as const satisfies Readonly<Record<string, MakePolicy>>;

/** The name of a built-in policy. */
export type PolicyName = keyof typeof POLICIES;

/** The names of the built-in policies. */
export const POLICY_NAMES = Object.keys(POLICIES) as readonly PolicyName[];
