import { belady } from './belady.ts';
import { ema, lfru, lfu, lru, random, type MakePolicy } from './policy.ts';
import type { RoutingTrace } from './trace.ts';

const SEED = 1; // of `random`: any, but the same each time

/** Every policy that a trace can be played with, the default one first. */
export const POLICIES = {
  ema: () => ema(),
  lru: () => lru(),
  lfu: () => lfu(),
  lfru: () => lfru(),
  random: () => random(SEED),
  belady: (trace) => belady(trace),
} as const satisfies Readonly<Record<string, (trace: RoutingTrace) => MakePolicy>>;

export type PolicyName = keyof typeof POLICIES;

/** @param trace - the one that will be played: `belady` looks ahead in it */
export function policyOf(name: PolicyName, trace: RoutingTrace): MakePolicy {
  const make: (trace: RoutingTrace) => MakePolicy = POLICIES[name];
  return make(trace);
}

export function isPolicyName(name: string): name is PolicyName {
  return Object.hasOwn(POLICIES, name);
}
