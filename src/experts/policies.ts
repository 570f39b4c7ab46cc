/** Eviction policies by name. */
import { belady } from './belady.ts';
import { ema, lfru, lfu, lru, random, type MakePolicy } from './policy.ts';
import type { RoutingTrace } from './trace.ts';

/** Every policy that an engine can follow, the default one first. A new one is a row here. */
export const POLICIES = {
  ema: ema(),
  lru: lru(),
  lfu: lfu(),
  lfru: lfru(),
  random: random(),
} as const satisfies Readonly<Record<string, MakePolicy>>;

export type PolicyName = keyof typeof POLICIES;

export const POLICY_NAMES = Object.keys(POLICIES) as readonly PolicyName[];

/** Those that a trace can be played with: Belady's looks ahead in it, which no engine can. */
export type StudyPolicyName = PolicyName | 'belady';

export const STUDY_POLICY_NAMES: readonly StudyPolicyName[] = [...POLICY_NAMES, 'belady'];

/** @param trace - the one that will be played */
export function studyPolicy(name: StudyPolicyName, trace: RoutingTrace): MakePolicy {
  return name === 'belady' ? belady(trace) : POLICIES[name];
}

export function isStudyPolicyName(name: string): name is StudyPolicyName {
  return STUDY_POLICY_NAMES.some((known) => known === name);
}
