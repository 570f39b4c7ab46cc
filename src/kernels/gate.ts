import groupSource from '../../shaders/gate-group.wgsl?raw';
import laneSource from '../../shaders/gate-lane.wgsl?raw';
import shared from '../../shaders/lib/gate.wgsl?raw';
import { invariant } from '../errors.ts';
import { foldGrid, gridPart } from './common.ts';
import { defineKernel, type ParamValues } from './kernel.ts';

/** How router logits become scores a. */
export type RouterScore = 'softmax' | 'sigmoid' | 'identity';

/**
 * What the scores of the chosen experts are divided by: nothing; sum + eps; max(sum, eps). `softmax` takes the softmax
 * of their raw logits instead.
 */
export type RouterRenorm = 'none' | 'sum' | 'softmax' | 'clamped-sum';

/** Only the experts of the `keep` best groups may be chosen; a group is worth its best expert or its two best. */
export interface RouterGroups {
  readonly count: number;
  readonly keep: number;
  readonly score: 'two-best' | 'max';
}

/** How a token-choice router selects and weighs, as plain data. A selection bias is a tensor of the model. */
export interface RouterRule {
  readonly score: RouterScore;
  readonly renorm: RouterRenorm;
  readonly eps: number; // of renorm `sum` and `clamped-sum`
  readonly scale: number; // of the final weights
  readonly groups: RouterGroups | null;
}

export interface GateSize {
  readonly tokens: number;
  readonly experts: number;
  readonly topK: number;
}

export const MAX_GATE_EXPERTS = 1024;
export const MAX_GATE_TOP_K = 64;

/**
 * The selection of top-k experts and their weights, from router logits. `lane`: one lane per token, for adapters where
 * workgroup memory is dear; `group`: one workgroup of `wg` lanes per token, at most `capacity` experts.
 */
export const gate = defineKernel({
  name: 'gate',
  bindings: { logits: 'read', bias: 'read', ids: 'write', weights: 'write' },
  params: {
    tokens: 'u32',
    experts: 'u32',
    top_k: 'u32',
    score: 'u32',
    renorm: 'u32',
    eps: 'f32',
    scale: 'f32',
    groups: 'u32',
    top_groups: 'u32',
    group_score: 'u32',
  },
  variants: [
    { form: 'lane', wg: 4, capacity: MAX_GATE_EXPERTS },
    { form: 'group', wg: 32, capacity: 128 },
    { form: 'group', wg: 128, capacity: MAX_GATE_EXPERTS },
  ],
  parts: ({ form }) => [
    gridPart,
    { name: 'lib/gate.wgsl', text: shared },
    form === 'lane'
      ? { name: 'gate-lane.wgsl', text: laneSource }
      : { name: 'gate-group.wgsl', text: groupSource },
  ],
  overrides: ({ form, wg, capacity }): Record<string, number> =>
    form === 'lane' ? { WG: wg } : { WG: wg, CAPACITY: capacity },
  key: ({ form, wg, capacity }) => `gate/${form}${wg}/${capacity}`,
  grid: ({ tokens, experts }: Pick<GateSize, 'tokens' | 'experts'>, { form, wg, capacity }) => {
    invariant(experts <= capacity, () => `gate: ${experts} experts, at most ${capacity} in this variant`);
    return foldGrid(form === 'lane' ? Math.ceil(tokens / wg) : tokens);
  },
});

const SCORES = { softmax: 0, sigmoid: 1, identity: 2 } as const satisfies Record<RouterScore, number>;
const RENORMS = { none: 0, sum: 1, softmax: 2, 'clamped-sum': 3 } as const satisfies Record<
  RouterRenorm,
  number
>;
const GROUP_SCORES = { 'two-best': 1, max: 2 } as const;

/** The kernel's parameters for a rule. */
export function gateParams(rule: RouterRule, { tokens, experts, topK }: GateSize): ParamValues<typeof gate> {
  const { count, keep } = rule.groups ?? { count: 1, keep: 1 };
  invariant(experts >= 1 && experts <= MAX_GATE_EXPERTS, () => `gate: ${experts} experts`);
  invariant(topK >= 1 && topK <= Math.min(MAX_GATE_TOP_K, experts), () => `gate: top ${topK} of ${experts}`);
  invariant(experts % count === 0, () => `gate: ${experts} experts in ${count} groups`);
  return {
    tokens,
    experts,
    top_k: topK,
    score: SCORES[rule.score],
    renorm: RENORMS[rule.renorm],
    eps: rule.eps,
    scale: rule.scale,
    groups: count,
    top_groups: keep,
    group_score: rule.groups ? GROUP_SCORES[rule.groups.score] : 0,
  };
}
