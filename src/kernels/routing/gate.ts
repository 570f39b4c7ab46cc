import shared from '../../../shaders/lib/gate.wgsl?raw';
import scoreAlone from '../../../shaders/lib/score-alone.wgsl?raw';
import { invariant } from '../../errors.ts';
import { render, type Part } from '../../gpu/program.ts';
import { foldGrid, gridPart } from '../common.ts';
import { hardwarePart, softwarePart } from '../forms/parts.ts';
import { defineKernel, pairs, type ParamValues } from '../kernel.ts';
import { gateStages, stageParams, type GateStages, type RouterRule } from './rule.ts';
import { stageOf, STAGES } from './stages/index.ts';

/** Problem size, which determines the grid; logits are [tokens, experts]. */
export interface GateSize {
  readonly tokens: number;
  readonly experts: number;
  readonly topK: number;
}

/** Maximum number of experts. */
export const MAX_GATE_EXPERTS = 1024;

/** Maximum topK. */
export const MAX_GATE_TOP_K = 64;

/** `lane`: one lane per token, for software adapters, where workgroup memory is slow; `group`: `wg` lanes per token. */
export interface GateForm {
  readonly form: 'lane' | 'group';
  readonly wg: number;
  readonly capacity: number; // maximum number of experts
}

/** The forms of the kernel, with their capacities. */
export const GATE_FORMS: readonly GateForm[] = [
  { form: 'lane', wg: 4, capacity: MAX_GATE_EXPERTS },
  { form: 'group', wg: 32, capacity: 128 },
  { form: 'group', wg: 128, capacity: MAX_GATE_EXPERTS },
];

/** A variant: a form of the kernel with three stages, and with factors of experts or without. */
export type GateVariant = GateForm &
  GateStages & { readonly factored: boolean } & Readonly<Record<string, string | number | boolean>>;

/** Every variant of the kernel for a rule that supports this number of experts. */
export function gateVariants(rule: RouterRule, experts = 1, factored = false): GateVariant[] {
  const stages = { ...gateStages(rule), factored };
  return GATE_FORMS.filter(({ capacity }) => experts <= capacity).map((form) => ({ ...form, ...stages }));
}

/** Every pair of built-in stages and every form with every stage, in few variants; and every form with factors. */
export function listedGates(): GateVariant[] {
  const names = (table: object) => Object.keys(table);
  const { score, select, weigh } = STAGES;
  const rows = pairs({
    weigh: names(weigh),
    score: names(score),
    select: names(select),
    form: GATE_FORMS.map((_, index) => index),
  });
  const plain = rows.flatMap(({ form, ...stages }) =>
    GATE_FORMS.slice(form, form + 1).map((own) => ({ ...own, ...stages, factored: false })),
  );
  const stages = { score: 'softmax', select: 'all', weigh: 'sum', factored: true } as const;
  return [...plain, ...GATE_FORMS.map((form) => ({ ...form, ...stages }))];
}

/** The parts that a variant is linked from; `hooked` ones need `routing/hooked-gate.wgsl` besides. */
export function gateParts({ form, factored, ...names }: GateVariant, hooked = false): Part[] {
  const score = stageOf('score', names.score);
  const select = stageOf('select', names.select);
  const weigh = stageOf('weigh', names.weigh);
  const grouped = select.over === 'groups';
  const isLane = form === 'lane';
  const own = isLane ? softwarePart('routing/gate-lane') : hardwarePart('routing/gate-group');
  const groups = isLane ? softwarePart('lib/gate-groups-lane') : hardwarePart('lib/gate-groups-group');
  return [
    { name: 'prelude', text: `const FROM_LOGITS = ${weigh.from === 'logits'};` },
    gridPart,
    render({ name: 'lib/gate.wgsl', text: shared }, { factored, hooked }),
    { name: `lib/score-${score.name}.wgsl`, text: score.wgsl },
    ...(score.over === 'logit' ? [{ name: 'lib/score-alone.wgsl', text: scoreAlone }] : []),
    { name: `lib/select-${select.name}.wgsl`, text: select.wgsl },
    ...(grouped ? [groups] : []),
    { name: `lib/weigh-${weigh.name}.wgsl`, text: weigh.wgsl },
    render(own, { grouped, hooked, from_row: weigh.from === 'row' }),
  ];
}

/** The bindings of variants without factors. */
export const PLAIN_GATE = { logits: 'read', bias: 'read', ids: 'write', weights: 'write' } as const;
const FACTORED = { ...PLAIN_GATE, factors: 'read' } as const;

/**
 * Selects the top-k experts of each token from router logits and computes their weights, by the stages of a rule.
 *
 * logits [tokens, experts] f32, bias [experts] f32, factors of the weights [experts] f32, if there are any -> ids [tokens,
 * top_k] u32, weights [tokens, top_k] f32
 */
export const gate = defineKernel({
  name: 'gate',
  bindings: FACTORED,
  bindingsOf: ({ factored }) => (factored ? FACTORED : PLAIN_GATE),
  params: {
    tokens: 'u32',
    experts: 'u32',
    top_k: 'u32',
    groups: 'u32',
    top_groups: 'u32',
    eps: 'f32',
    scale: 'f32',
  },
  variants: listedGates(),
  parts: (variant) => gateParts(variant),
  overrides: ({ form, wg, capacity }): Record<string, number> =>
    form === 'lane' ? { WG: wg } : { WG: wg, CAPACITY: capacity },
  key: ({ score, select, weigh, factored, form, wg, capacity }) =>
    `gate/${score}/${select}/${weigh}${factored ? '/factored' : ''}/${form}${wg}/${capacity}`,
  grid: ({ tokens, experts }: Pick<GateSize, 'tokens' | 'experts'>, { form, wg, capacity }) => {
    invariant(experts <= capacity, () => `gate: ${experts} experts, at most ${capacity} in this variant`);
    return foldGrid(form === 'lane' ? Math.ceil(tokens / wg) : tokens);
  },
});

/** The values of the kernel's parameters for a rule. */
export function gateParams(rule: RouterRule, { tokens, experts, topK }: GateSize): ParamValues<typeof gate> {
  const { groups, keep, eps, scale } = stageParams(rule);
  invariant(experts >= 1 && experts <= MAX_GATE_EXPERTS, () => `gate: ${experts} experts`);
  invariant(topK >= 1 && topK <= Math.min(MAX_GATE_TOP_K, experts), () => `gate: top ${topK} of ${experts}`);
  invariant(experts % groups === 0, () => `gate: ${experts} experts in ${groups} groups`);
  return { tokens, experts, top_k: topK, groups, top_groups: keep, eps, scale };
}
