/** The routing rule of a router with one score per expert, as plain data, and the stages that it names. */
import { AtomoeError } from '../../errors.ts';
import { stageOf, type ScoreName, type SelectName, type WeighName } from './stages/index.ts';
import type { StageParams } from './stages/stage.ts';

/** Only the experts of the `keep` best groups may be chosen; `score` names the selection that computes a group's value. */
export interface RouterGroups {
  readonly count: number;
  readonly keep: number;
  readonly score: SelectName;
}

/** Selection and weighting of a token-choice router: stages by name. A selection bias is a tensor of the model. */
export interface RouterRule {
  readonly score: ScoreName; // logits to affinities
  readonly renorm: WeighName; // affinities or logits of the chosen experts to weights
  readonly eps: number; // of renorm `sum` and `clamped-sum`
  readonly scale: number; // of the final weights
  readonly groups: RouterGroups | null;
  readonly select?: SelectName; // without groups; default `all`
}

/** The names of the stages of a gate kernel. */
export interface GateStages {
  readonly score: ScoreName;
  readonly select: SelectName;
  readonly weigh: WeighName;
}

/** The three stages of a rule, by name. */
export function gateStages({ score, renorm, groups, select = 'all' }: RouterRule): GateStages {
  return { score, select: groups?.score ?? select, weigh: renorm };
}

/** The numbers of a rule, as stages use them. */
export function stageParams({ eps, scale, groups }: RouterRule): StageParams {
  return { eps, scale, groups: groups?.count ?? 1, keep: groups?.keep ?? 1 };
}

/** @throws {AtomoeError} bad-input - a stage does not exist, or only one of selection and rule has groups */
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

/** The weighting of a product router, whose scores are logarithms: exponentials, or softmax if they are renormalised. */
export function productWeigh(renormalise: boolean): 'softmax' | 'exp' {
  return renormalise ? 'softmax' : 'exp';
}
