import type { KnownStep } from '../../experts/prefetch.ts';
import type { Drafted } from '../load/planning.ts';
import type { StepRequest } from './runner.ts';

/**
 * What is known of the routes of a step: by a trace that is replayed, or by tables of the model. The code comes with the first such step.
 *
 * @returns undefined where nothing is known, and where light experts are left out, which no table knows
 */
export function knownStep(
  drafted: Pick<Drafted, 'expertLayers' | 'lossy'>,
  request: Pick<StepRequest, 'ids' | 'past' | 'hooks' | 'given'>,
): Promise<KnownStep> | undefined {
  const { expertLayers, lossy } = drafted;
  const isKnown = request.hooks?.known ?? expertLayers.some(({ known, knownBy }) => known ?? knownBy);
  if (!isKnown || lossy.skipBelow > 0) return undefined;
  return import('./known-routes.ts').then(({ openKnownStep }) => openKnownStep(drafted, request));
}
