import type { KnownStep } from '../../experts/prefetch.ts';
import type { Drafted } from '../load/planning.ts';
import type { StepRequest } from './runner.ts';

/**
 * What is known of the routes of a step: by a trace that is replayed, by tables of the model, or as soon as an earlier layer decides. The
 * code comes with the first such step.
 *
 * @returns undefined where nothing is known, and where light experts are left out, which no table knows
 */
export function knownStep(
  drafted: Pick<Drafted, 'expertLayers' | 'lossy' | 'decode'>,
  request: Pick<StepRequest, 'ids' | 'past' | 'hooks' | 'given'>,
): Promise<KnownStep> | undefined {
  const { expertLayers, lossy, decode } = drafted;
  const isKnown =
    request.hooks?.known ??
    (expertLayers.some(({ known, knownBy }) => known ?? knownBy) ||
      decode.routes.some(({ decided }) => decided?.length));
  if (!isKnown || lossy.skipBelow > 0) return undefined;
  return import('./known-routes.ts').then(({ openKnownStep }) => openKnownStep(drafted, request));
}
