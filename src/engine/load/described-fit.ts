/** Which descriptions of routers a model can run: what the format allows beyond that needs a whole request. */
import { AtomoeError } from '../../errors.ts';
import { mostOf, seesOf } from '../../models/layer/check.ts';
import { parseLayer, problemsOfKeys, type LayerDescription } from '../../models/layer/layer.ts';
import type { InputDescription, RouterDescription, ScoreDescription } from '../../models/layer/router.ts';

/** Sizes of a model, and which of its layers a description is for. */
export interface LayerPlace {
  readonly experts: number;
  readonly hidden: number;
  readonly layer: number;
}

/** All that is wrong with the keys of a description for a layer of a model, or else the first of what they say of each other and of the model. */
export function problemsOfRouting(description: unknown, place: LayerPlace): readonly AtomoeError[] {
  const problems = problemsOfKeys(description);
  if (problems.length > 0) return problems;
  try {
    checkFits(parseLayer(description), place);
    return [];
  } catch (error) {
    if (error instanceof AtomoeError) return [error];
    throw error;
  }
}

/**
 * Experts are the model's, and text comes token by token. What a request gives has a size that is known before.
 *
 * @throws {AtomoeError} bad-input - the description asks for something else
 */
export function checkFits(description: LayerDescription, place: LayerPlace): void {
  const { hiddenSize, experts, router, expert, shared, pattern } = description;
  if (hiddenSize !== place.hidden)
    throw refused(`hiddenSize is ${hiddenSize}; layer ${place.layer} of the model has ${place.hidden}`);
  if (experts !== place.experts)
    throw refused(`experts is ${experts}; layer ${place.layer} of the model has ${place.experts}`);
  const own = { expert, pattern: pattern.kind === 'single' ? undefined : pattern, shared: shared[0] };
  const other = Object.entries(own).find(([, value]) => value !== undefined);
  if (other)
    throw refused(`${other[0]} is given; the experts of the model run, and only its router is replaced`);
  if (!router) return;
  checkScope(router);
  checkRequested(router);
  const { weigh, score } = router;
  if (weigh.apply !== 'output')
    throw refused('router.weigh.apply is not "output"; the experts of models read whole inputs', 'choose it');
  if (weigh.combine !== 'add')
    throw refused(
      `router.weigh.combine is "${weigh.combine}"; the model adds its own residual`,
      'choose "add"',
    );
  if (score.kind === 'productKeys' && mostOf(description) > place.experts)
    throw refused(
      `router.score.heads is ${score.heads}, which choose more experts than there are`,
      'choose fewer, or a smaller k',
    );
}

/** What a decision depends on is there when the token is. */
function checkScope(router: RouterDescription): void {
  const { scope } = router;
  const sees = seesOf(router);
  if (sees === 'sequence' || sees === 'batch') {
    const { path, instead } = laterTokens(router);
    throw refused(
      `router.scope.sees is "${sees}", because of ${path}; text is written token by token, and a token cannot wait for later ones`,
      instead,
    );
  }
  if (scope.expertUnit !== 'token') {
    throw refused(
      `router.scope.expertUnit is "${scope.expertUnit}"; the experts of models read tokens`,
      'choose "token"',
    );
  }
  if (scope.decision === 'prompt' && scope.unit !== 'sequence') {
    throw refused(
      `router.scope.unit is "${scope.unit}"; a decision of the prompt is one of the "sequence"`,
      'choose that unit, or the decision of a "layer"',
    );
  }
}

/** What in a rule needs later tokens, and what may take its place. */
function laterTokens({ capacity, select, transform, scope }: RouterDescription): {
  readonly path: string;
  readonly instead: string;
} {
  if (select.kind === 'expertChoice')
    return { path: 'router.select.kind', instead: 'let tokens choose, by topK or another kind' };
  if (select.kind === 'topK' && typeof select.k !== 'number' && select.k.from === 'attentionReceived')
    return { path: 'router.select.k.from', instead: 'choose "importance", which a request gives' };
  const balanced = transform.findIndex(({ kind }) => kind === 'sinkhorn');
  if (balanced >= 0) return { path: `router.transform.${balanced}.kind`, instead: 'choose "softmax"' };
  const protecting = select.drop.findIndex((filter) => filter.kind === 'belowRatio' && filter.protect);
  if (protecting >= 0)
    return { path: `router.select.drop.${protecting}.protect`, instead: 'leave protect out' };
  if (capacity) {
    const instead = 'choose tokensPerExpert with order "token" and overflow "drop", without fill';
    return { path: 'router.capacity', instead };
  }
  return { path: `router.scope.pool "${scope.pool}"`, instead: 'choose the pool "first"' };
}

/** Tensors of a request have a row of a fixed size for each token. */
function checkRequested({ input, score, transform }: RouterDescription): void {
  const mixed = transform.findIndex(({ kind }) => kind === 'mixTokens');
  if (mixed >= 0) {
    throw refused(
      `router.transform.${mixed}.kind is "mixTokens"; its matrix has a column for each token of the text, which grows`,
      'leave it out',
    );
  }
  checkWidths(input, 'router.input');
  checkScores(score, 'router.score');
}

function checkScores(score: ScoreDescription, path: string): void {
  if (score.kind === 'condition') checkScores(score.otherwise, `${path}.otherwise`);
  if (score.kind !== 'sum') return;
  for (const [index, { score: term, input }] of score.terms.entries()) {
    if (input) checkWidths(input, `${path}.terms.${index}.input`);
    checkScores(term, `${path}.terms.${index}.score`);
  }
}

function checkWidths({ parts }: InputDescription, path: string): void {
  for (const [index, part] of parts.entries()) {
    if (part.from !== 'caller' || part.width !== undefined) continue;
    throw refused(
      `${path}.parts.${index}.width is missing, the columns of "${part.name}", which a model has to know before a request gives it`,
      'write it',
    );
  }
}

/** A description that models cannot run. @param instead - what to do */
export function refused(what: string, instead = 'choose another description'): AtomoeError {
  return new AtomoeError('bad-input', `routing: ${what}; ${instead}`);
}
