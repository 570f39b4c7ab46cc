/** From a rule to the stages that its program is linked with, as strings, and to its numbers, which are parameters. */
import { AtomoeError } from '../../errors.ts';
import {
  MAX_GROUPS,
  MAX_RANKS,
  stepsBeforeLogits,
  type RouteChoice,
  type RouteDrop,
  type RouteOutput,
  type RouteRule,
  type RouteStep,
  type VectorOf,
} from './route-rule.ts';

/**
 * The stages of a program, by name. A call is `name(arguments)`: `v2` is row 2 of the vectors, `n0` the parameter `number_0`.
 * Two rules with equal stages share a program.
 */
export interface RouteStages {
  readonly steps: string; // calls, separated by spaces
  readonly logits: '' | 'scores' | 'stored' | 'given'; // where they are read from, if at all
  readonly vectors: string; // '', 'layer', or the number of rows before those of the request
  readonly writes: string; // outputs besides routes, separated by spaces
}

/** The stages of a rule's choice and weights. */
export interface ChoiceStages extends RouteStages {
  readonly by: 'affinity' | 'logits';
  readonly bias: string; // '' or a vector
  readonly groups: '' | 'max' | 'sumOfTopTwo' | 'score';
  readonly order: 'value' | 'positive' | 'id' | 'groups' | 'given';
  readonly limit: 'fixed' | 'importance' | 'all';
  readonly cut: string; // none, ranks(...), crossing, within, or crossing or within unless an entropy: crossing.tsallis
  readonly drops: string; // calls
  readonly kinds: string; // '' or the vector of the thresholds, and `.token` if tokens have kinds
  readonly raw: 'affinity' | 'logits' | 'exp' | 'one' | 'expert' | 'place';
  readonly normalise: 'none' | 'sum' | 'softmax';
  readonly over: 'kept' | 'chosen';
  readonly times: 'one' | 'largest';
  readonly expertScale: string; // '' or a vector
}

/** Stages, and the numbers that their calls name. */
export interface Staged<S> {
  readonly stages: S;
  readonly numbers: readonly number[];
}

const MAX_NUMBERS = 8;

/** The steps of a rule that writes logits or affinities only. */
export function scoreStages(
  { steps, layerVectors }: Pick<RouteRule, 'steps' | 'layerVectors'>,
  outputs: readonly RouteOutput[],
): Staged<RouteStages> {
  const numbers: number[] = [];
  const calls = stepCalls(steps, numbers, outputs.includes('logits') ? 'write-logits' : undefined);
  const stages = { steps: calls.join(' '), logits: '', writes: rowWrites(outputs) } as const;
  return checked({ stages: { ...stages, vectors: vectorsOf(calls, layerVectors) }, numbers });
}

/** All stages of a rule. */
export function routeStages(rule: RouteRule, outputs: readonly RouteOutput[] = []): Staged<ChoiceStages> {
  const { steps, select, weigh, layerVectors } = rule;
  const { choice, by = 'affinity', groups, drop = [] } = select;
  const numbers: number[] = [];
  const logits = logitsOf(rule);
  const keeps = logits === 'stored' ? 'keep-logits' : outputs.includes('logits') ? 'write-logits' : undefined;
  const both = logits === 'stored' && outputs.includes('logits') ? 'keep-logits write-logits' : keeps;
  const calls = stepCalls(steps, numbers, both);
  const drops = [
    ...((rule.nullExperts ?? 0) > 0 ? ['null'] : []),
    ...drop.map((each) => dropCall(each, numbers)),
  ];
  const stages: Omit<ChoiceStages, 'vectors'> = {
    steps: calls.join(' '),
    logits,
    writes: rowWrites(outputs),
    by,
    bias: vector(select.bias),
    groups: groups?.by ?? '',
    ...choiceStages(choice),
    drops: drops.join(' '),
    kinds: kindsOf(drop),
    raw: weigh.from ?? 'affinity',
    normalise: weigh.normalise ?? 'none',
    over: weigh.over ?? 'kept',
    times: weigh.times ? 'largest' : 'one',
    expertScale: vector(weigh.expertScale),
  };
  checkSizes(rule);
  return checked({ stages: { ...stages, vectors: vectorsOf(Object.values(stages), layerVectors) }, numbers });
}

function rowWrites(outputs: readonly RouteOutput[]): string {
  return outputs
    .filter((output) => output !== 'logits')
    .toSorted()
    .join(' ');
}

function logitsOf({ steps, select, weigh, logits }: RouteRule): RouteStages['logits'] {
  if (select.by !== 'logits' && weigh.from !== 'logits') return '';
  if (logits === 'given') return 'given';
  return stepsBeforeLogits(steps) > 0 ? 'stored' : 'scores';
}

/** The calls of the steps, with one at the logits. */
function stepCalls(steps: readonly RouteStep[], numbers: number[], atLogits: string | undefined): string[] {
  const calls = steps.map((step) => stepCall(step, numbers));
  if (atLogits !== undefined) calls.splice(stepsBeforeLogits(steps), 0, atLogits);
  return calls;
}

function stepCall(step: RouteStep, numbers: number[]): string {
  switch (step.kind) {
    case 'softmax':
      return step.within === undefined ? 'softmax' : `softmax-within(${number(step.within, numbers)})`;
    case 'logSoftmax':
      return 'log-softmax';
    case 'sqrtSoftplus':
      return 'sqrt-softplus';
    case 'scale':
      return typeof step.by === 'number'
        ? `scale(${number(step.by, numbers)})`
        : `scale-vector(${vector(step.by)})`;
    case 'add':
      return `add-vector(${vector(step.by)})`;
    case 'mask':
      return step.by === 'token' ? 'mask-token' : `mask-vector(${vector(step.by)})`;
    case 'standardise':
      return `standardise(${degrees(step, numbers)})`;
    case 'steer':
      return step.mode === 'soft'
        ? `steer-soft(${vector(step.by)},${degrees(step, numbers)})`
        : `steer-hard(${vector(step.by)},${number(step.epsilon, numbers)})`;
    case 'sigmoid':
    case 'relu':
    case 'tanh':
    case 'abs':
    case 'exp':
      return step.kind;
  }
}

function degrees({ deviation }: { readonly deviation: string }, numbers: number[]): string {
  return number(deviation === 'sample' ? 1 : 0, numbers);
}

function dropCall(drop: RouteDrop, numbers: number[]): string {
  switch (drop.kind) {
    case 'belowThreshold':
      return `below-threshold(${number(drop.scale, numbers)})`;
    case 'belowRatio':
      return `${drop.by ? 'protected-' : ''}below-ratio(${number(drop.ratio, numbers)})`;
    case 'verdict':
      return `verdict(${number(drop.atLeast, numbers)})`;
  }
}

function kindsOf(drops: readonly RouteDrop[]): string {
  const found = drops.filter((drop) => drop.kind === 'belowThreshold');
  const [first] = found;
  if (!first) return '';
  if (found.length > 1) throw unsupported('two filters below a threshold');
  return `${vector(first.thresholds)}${first.by ? '.token' : ''}`;
}

function choiceStages(choice: RouteChoice): Pick<ChoiceStages, 'order' | 'limit' | 'cut'> {
  const sorted = { order: 'value', limit: 'fixed', cut: 'none' } as const;
  switch (choice.kind) {
    case 'topK':
      return { ...sorted, limit: choice.least === undefined ? 'fixed' : 'importance' };
    case 'topP': {
      const { rule, keepAllAbove: all } = choice;
      return all ? { ...sorted, limit: 'all', cut: `${rule}.${all.entropy}` } : { ...sorted, cut: rule };
    }
    case 'positive':
      return { ...sorted, order: 'positive', limit: 'all' };
    case 'all':
      return { ...sorted, order: 'id', limit: 'all' };
    case 'topOfEach':
      return { ...sorted, order: 'groups', limit: 'all' };
    case 'ranks':
      return { ...sorted, limit: 'all', cut: `ranks.${choice.count}.${vector(choice.ranks)}` };
    case 'given':
      return { ...sorted, order: 'given', limit: 'all' };
  }
}

function number(value: number, numbers: number[]): string {
  return `n${numbers.push(value) - 1}`;
}

function vector(row: VectorOf | undefined): string {
  return row ? `v${row.vector}` : '';
}

/** Which rows of vectors some stages name. */
function vectorsOf(stages: readonly string[], layerVectors = Infinity): string {
  const rows = stages.flatMap((stage) => [...stage.matchAll(/\bv(\d+)/g)].map(([, row]) => Number(row)));
  if (rows.length === 0) return '';
  return rows.some((row) => row >= layerVectors) && layerVectors > 0 ? `${layerVectors}` : 'layer';
}

function checkSizes({ select: { choice, groups } }: RouteRule): void {
  if (choice.kind === 'ranks' && choice.count > MAX_RANKS) {
    throw unsupported(`${choice.count} ranks, at most ${MAX_RANKS}`);
  }
  if (groups && groups.count > MAX_GROUPS) throw unsupported(`${groups.count} groups, at most ${MAX_GROUPS}`);
}

function checked<S>(staged: Staged<S>): Staged<S> {
  if (staged.numbers.length <= MAX_NUMBERS) return staged;
  throw unsupported(`steps and filters with ${staged.numbers.length} numbers, at most ${MAX_NUMBERS}`);
}

function unsupported(what: string): AtomoeError {
  return new AtomoeError(
    'unsupported-model',
    `a routing rule has ${what}; the GPU's kernel cannot run it, the CPU can`,
  );
}
