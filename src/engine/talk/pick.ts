import { AtomoeError } from '../../errors.ts';
import { NOT_FINITE, type Candidates } from '../../graph/ops/sample.ts';
import { allCandidates, draw } from './draw.ts';
import type { CheckedOptions } from '../options.ts';
import { uniform } from './random.ts';
import type { StepResult } from '../run/runner.ts';

/** A chosen token, with log probabilities where they were asked for. */
export interface Picked {
  readonly id: number;
  readonly logprob: number | undefined;
  readonly alternatives: readonly { readonly id: number; readonly logprob: number }[];
}

/**
 * Chooses the next token of a step: the best, or one drawn by (seed, position).
 *
 * @throws {AtomoeError} non-finite - some logit is NaN or infinite
 */
export async function pickToken(
  result: StepResult,
  options: CheckedOptions,
  position: number,
): Promise<Picked> {
  if (result.best === NOT_FINITE) throw notFinite(position);
  const { candidates } = result;
  if (!candidates) return { id: result.best, logprob: undefined, alternatives: [] };
  const chance = uniform(options.seed, position);
  let drawn = draw(candidates, options, chance);
  if (drawn.kind === 'insufficient') {
    drawn = draw(allCandidates(await result.logits(), options.temperature), options, chance);
  }
  if (drawn.kind === 'insufficient') throw new Error('all logits do not suffice to draw a token');
  if (options.logprobs === undefined) return { id: drawn.id, logprob: undefined, alternatives: [] };
  return { id: drawn.id, logprob: drawn.logprob, alternatives: likeliest(candidates, options.logprobs) };
}

/** The error of logits that are no numbers. */
export function notFinite(position: number): AtomoeError {
  return new AtomoeError(
    'non-finite',
    `the logits at position ${position} hold a NaN or an infinity, finite numbers are wanted; ` +
      'the model or its quantisation is damaged: download it again, or load it without quantize',
  );
}

function likeliest({ ids, logits, sum }: Candidates, count: number): { id: number; logprob: number }[] {
  const [best = 0] = logits;
  return Array.from(ids.subarray(0, count), (id, rank) => ({
    id,
    logprob: (logits[rank] ?? 0) - best - Math.log(sum),
  }));
}
