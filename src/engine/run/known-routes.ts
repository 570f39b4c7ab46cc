import { KnownStep } from '../../experts/prefetch.ts';
import type { Drafted } from '../load/planning.ts';
import type { StepRequest } from './runner.ts';

/** The routes of a step that are known: those that are replayed, also of later tokens, and those of tables by the ids of its tokens. */
export function openKnownStep(
  { expertLayers }: Pick<Drafted, 'expertLayers'>,
  { ids, past, hooks }: Pick<StepRequest, 'ids' | 'past' | 'hooks'>,
): KnownStep {
  return new KnownStep({
    experts(layer, ahead) {
      const id = ids[ahead];
      const table = expertLayers[layer]?.known;
      if (table) return id === undefined ? undefined : table(id);
      return hooks?.known?.(layer, past + ahead);
    },
  });
}
