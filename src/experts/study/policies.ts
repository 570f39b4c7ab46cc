/** Policies that a trace can be played with. */
import { belady } from './belady.ts';
import { POLICIES } from '../policies.ts';
import { POLICY_NAMES, type PolicyName } from '../policy-names.ts';
import type { MakePolicy } from '../policy.ts';
import type { RoutingTrace } from './trace.ts';

/** Those of engines, and Belady's, which looks ahead in the trace. */
export type StudyPolicyName = PolicyName | 'belady';

/** The built-in policies, and `belady`, which knows the future. */
export const STUDY_POLICY_NAMES: readonly StudyPolicyName[] = [...POLICY_NAMES, 'belady'];

/** @param trace - the one that will be played */
export function studyPolicy(name: StudyPolicyName, trace: RoutingTrace): MakePolicy {
  return name === 'belady' ? belady(trace) : POLICIES[name];
}

/** Whether a policy of this name can be simulated. */
export function isStudyPolicyName(name: string): name is StudyPolicyName {
  return STUDY_POLICY_NAMES.some((known) => known === name);
}
