import type { GateSize } from './gate.ts';
import { gateReference, type GateRouting } from './gate.reference.ts';
import { FREE_TOKEN, hooksSize } from './hooked-gate.ts';
import type { RouterRule } from './rule.ts';

/**
 * The gate with the hooks of a request: the experts of other ranks, or those that are given, with the weights that the rule
 * gives these, or given ones. Logits that hook-logits has masked are never chosen.
 *
 * As `gateReference`, and hooks [fixed + perToken * tokens] (`hooksSize`)
 */
export function hookedGateReference(
  logits: Float32Array,
  bias: Float32Array,
  hooks: Uint32Array,
  size: GateSize & { rule: RouterRule; factors?: Float32Array | undefined },
): GateRouting {
  const { experts, topK } = size;
  const { fixed, perToken } = hooksSize(size);
  const [, replays, replaysWeights] = hooks;
  const slots = hooks.subarray(fixed - experts, fixed);
  const given = new Float32Array(hooks.buffer, hooks.byteOffset, hooks.length);
  const firstOf = (t: number) => fixed + perToken * t;
  const isReplayed = (t: number) => replays !== 0 && hooks[firstOf(t)] !== FREE_TOKEN;
  return gateReference(logits, bias, {
    ...size,
    hooks: {
      choose(t, ranked) {
        if (isReplayed(t)) return [...hooks.subarray(firstOf(t), firstOf(t) + topK)];
        const chosen = Array.from({ length: topK }, () => experts);
        ranked.forEach((e, rank) => (chosen[slots[rank]!] = e));
        return chosen.slice(0, topK);
      },
      weight: (t, rank, own) =>
        replaysWeights !== 0 && isReplayed(t) ? given[firstOf(t) + topK + rank]! : own,
    },
  });
}
