/** Eviction policies by name. */
import type { PolicyName } from './policy-names.ts';
import { ema, lfru, lfu, lru, random, segmentLookahead, type MakePolicy } from './policy.ts';

/** Every policy that an engine can follow. A new one is a row here, and a name in `policy-names.ts`. */
export const POLICIES: Readonly<Record<PolicyName, MakePolicy>> = {
  ema: ema(),
  lru: lru(),
  lfu: lfu(),
  lfru: lfru(),
  random: random(),
  'segment-lookahead': segmentLookahead(),
};
