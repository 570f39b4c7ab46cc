/** How a router with one score an expert decides, as plain data, and the stages that this names. */
import { AtomoeError } from '../../errors.ts';
import { stageOf, type ScoreName, type SelectName, type WeighName } from './stages/index.ts';
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

/** The names of the stages that a kernel is linked with. */
export interface GateStages {
  readonly score: ScoreName;
  readonly select: SelectName;
  readonly weigh: WeighName;
}

/** The names of the three stages of a rule. */
export function gateStages({ score, renorm, groups, select = 'all' }: RouterRule): GateStages {
  return { score, select: groups?.score ?? select, weigh: renorm };
}

/** The numbers of a rule, as stages use them. */
export function stageParams({ eps, scale, groups }: RouterRule): StageParams {
  return { eps, scale, groups: groups?.count ?? 1, keep: groups?.keep ?? 1 };
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

/** What weighs the chosen of a product router, whose scores are logarithms: their exponentials as they are, or divided by their sum. */
export function productWeigh(renormalise: boolean): 'softmax' | 'exp' {
  return renormalise ? 'softmax' : 'exp';
}
