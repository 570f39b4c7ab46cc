import groupSource from '../../../shaders/routing/gate-group.wgsl?raw';
import laneSource from '../../../shaders/routing/gate-lane.wgsl?raw';
import groupsOfGroup from '../../../shaders/lib/gate-groups-group.wgsl?raw';
import groupsOfLane from '../../../shaders/lib/gate-groups-lane.wgsl?raw';
import shared from '../../../shaders/lib/gate.wgsl?raw';
import scoreAlone from '../../../shaders/lib/score-alone.wgsl?raw';
import { AtomoeError, invariant } from '../../errors.ts';
import { render, type Part } from '../../gpu/program.ts';
import { foldGrid, gridPart } from '../common.ts';
import { defineKernel, pairs, type ParamValues } from '../kernel.ts';
import { stageOf, STAGES, type ScoreName, type SelectName, type WeighName } from './stages/index.ts';
import type { StageParams } from './stages/stage.ts';

/** Only the experts of the `keep` best groups may be chosen; `score` names the selection that says what a group is worth. */
export interface RouterGroups {
  readonly count: number;
  readonly keep: number;
  readonly score: SelectName;
}

/** How a token-choice router selects and weighs, as plain data: stages by name. A selection bias is a tensor of the model. */
export interface RouterRule {
  readonly score: ScoreName; // how logits become affinities
  readonly renorm: WeighName; // how affinities, or logits, of the chosen become weights
  readonly eps: number; // of renorm `sum` and `clamped-sum`
  readonly scale: number; // of the final weights
  readonly groups: RouterGroups | null;
  readonly select?: SelectName; // where there are no groups; default `all`
}

export interface GateSize {
  readonly tokens: number;
  readonly experts: number;
  readonly topK: number;
}

export const MAX_GATE_EXPERTS = 1024;
export const MAX_GATE_TOP_K = 64;

/** `lane`: one lane per token, for adapters where workgroup memory is dear; `group`: a workgroup of `wg` lanes per token. */
export interface GateForm {
  readonly form: 'lane' | 'group';
  readonly wg: number;
  readonly capacity: number; // experts at most
}

export const GATE_FORMS: readonly GateForm[] = [
  { form: 'lane', wg: 4, capacity: MAX_GATE_EXPERTS },
  { form: 'group', wg: 32, capacity: 128 },
  { form: 'group', wg: 128, capacity: MAX_GATE_EXPERTS },
];

/** The names of the stages that a kernel is linked with. */
export interface GateStages {
  readonly score: ScoreName;
  readonly select: SelectName;
  readonly weigh: WeighName;
}

export type GateVariant = GateForm & GateStages & Readonly<Record<string, string | number>>;

export function gateStages({ score, renorm, groups, select = 'all' }: RouterRule): GateStages {
  return { score, select: groups?.score ?? select, weigh: renorm };
}

/** @throws {AtomoeError} bad-input - no stage has a name that the rule says, or the selection and the rule differ in groups */
export function checkStages(rule: RouterRule): void {
  const { score, select, weigh } = gateStages(rule);
  stageOf('score', score);
  stageOf('weigh', weigh);
  const { over } = stageOf('select', select);
  const wanted = rule.groups ? 'groups' : 'expert';
  if (over === wanted) return;
  throw new AtomoeError(
    'bad-input',
    `the selection "${select}" is over ${over}, in a rule ${rule.groups ? 'with' : 'without'} groups; wanted one over ${wanted}`,
  );
}

/** Every form of the kernel for a rule: what the engine chooses from. */
export function gateVariants(rule: RouterRule, experts = 1): GateVariant[] {
  const stages = gateStages(rule);
  return GATE_FORMS.filter(({ capacity }) => experts <= capacity).map((form) => ({ ...form, ...stages }));
}

/** Every two built-in stages, and every form with every stage, once or a little more often. */
function listed(): GateVariant[] {
  const names = (table: object) => Object.keys(table);
  const { score, select, weigh } = STAGES;
  const rows = pairs({
    weigh: names(weigh),
    score: names(score),
    select: names(select),
    form: GATE_FORMS.map((_, index) => index),
  });
  return rows.flatMap(({ form, ...stages }) =>
    GATE_FORMS.slice(form, form + 1).map((own) => ({ ...own, ...stages })),
  );
}

function partsOf({ form, ...names }: GateVariant): Part[] {
  const score = stageOf('score', names.score);
  const select = stageOf('select', names.select);
  const weigh = stageOf('weigh', names.weigh);
  const grouped = select.over === 'groups';
  const own =
    form === 'lane'
      ? { name: 'routing/gate-lane.wgsl', text: laneSource }
      : { name: 'routing/gate-group.wgsl', text: groupSource };
  const groups =
    form === 'lane'
      ? { name: 'lib/gate-groups-lane.wgsl', text: groupsOfLane }
      : { name: 'lib/gate-groups-group.wgsl', text: groupsOfGroup };
  return [
    { name: 'prelude', text: `const FROM_LOGITS = ${weigh.from === 'logits'};` },
    gridPart,
    { name: 'lib/gate.wgsl', text: shared },
    { name: `lib/score-${score.name}.wgsl`, text: score.wgsl },
    ...(score.over === 'logit' ? [{ name: 'lib/score-alone.wgsl', text: scoreAlone }] : []),
    { name: `lib/select-${select.name}.wgsl`, text: select.wgsl },
    ...(grouped ? [groups] : []),
    { name: `lib/weigh-${weigh.name}.wgsl`, text: weigh.wgsl },
    render(own, { grouped }),
  ];
}

/** The selection of top-k experts and their weights, from router logits, by the stages of a rule. */
export const gate = defineKernel({
  name: 'gate',
  bindings: { logits: 'read', bias: 'read', ids: 'write', weights: 'write' },
  params: {
    tokens: 'u32',
    experts: 'u32',
    top_k: 'u32',
    groups: 'u32',
    top_groups: 'u32',
    eps: 'f32',
    scale: 'f32',
  },
  variants: listed(),
  parts: partsOf,
  overrides: ({ form, wg, capacity }): Record<string, number> =>
    form === 'lane' ? { WG: wg } : { WG: wg, CAPACITY: capacity },
  key: ({ score, select, weigh, form, wg, capacity }) =>
    `gate/${score}/${select}/${weigh}/${form}${wg}/${capacity}`,
  grid: ({ tokens, experts }: Pick<GateSize, 'tokens' | 'experts'>, { form, wg, capacity }) => {
    invariant(experts <= capacity, () => `gate: ${experts} experts, at most ${capacity} in this variant`);
    return foldGrid(form === 'lane' ? Math.ceil(tokens / wg) : tokens);
  },
});

/** The numbers of a rule, as stages use them. */
export function stageParams({ eps, scale, groups }: RouterRule): StageParams {
  return { eps, scale, groups: groups?.count ?? 1, keep: groups?.keep ?? 1 };
}

/** The kernel's parameters for a rule. */
export function gateParams(rule: RouterRule, { tokens, experts, topK }: GateSize): ParamValues<typeof gate> {
  const { groups, keep, eps, scale } = stageParams(rule);
  invariant(experts >= 1 && experts <= MAX_GATE_EXPERTS, () => `gate: ${experts} experts`);
  invariant(topK >= 1 && topK <= Math.min(MAX_GATE_TOP_K, experts), () => `gate: top ${topK} of ${experts}`);
  invariant(experts % groups === 0, () => `gate: ${experts} experts in ${groups} groups`);
  return { tokens, experts, top_k: topK, groups, top_groups: keep, eps, scale };
}
