import { AtomoeError, invariant } from '../../errors.ts';
import type * as Drawn from './drawn.ts';
import { NOT_FINITE } from '../../graph/ops/sample.ts';
import type { CheckedOptions } from '../options.ts';
import type { StepResult } from '../run/runner.ts';

/** A chosen token, with log probabilities where they were asked for. */
export interface Picked {
  readonly id: number;
  readonly logprob: number | undefined;
  readonly alternatives: readonly { readonly id: number; readonly logprob: number }[];
}

let drawing: typeof Drawn | undefined;

/** Loads what draws tokens. Before the first step, since logits have to be asked for before another session's step. */
export async function loadDrawing(): Promise<void> {
  drawing ??= await import('./drawn.ts');
}

/**
 * Chooses the next token of a step: the best, or one drawn by (seed, position), for which `loadDrawing` was called.
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
  invariant(drawing, () => 'a token is drawn before loadDrawing');
  return drawing.drawToken(candidates, result.logits, options, position);
}

/** The error of logits that are no numbers. */
export function notFinite(position: number): AtomoeError {
  return new AtomoeError(
    'non-finite',
    `the logits at position ${position} hold a NaN or an infinity, finite numbers are wanted; ` +
      'the model or its quantisation is damaged: download it again, or load it without quantize',
  );
}
