import { KnownStep } from '../../experts/prefetch.ts';
import type { Drafted } from '../load/planning.ts';
import type { StepRequest } from './runner.ts';

/** The routes of a step that are known: those that are replayed or given, also of later tokens, and those of tables by the ids of its tokens. */
export function openKnownStep(
  { expertLayers }: Pick<Drafted, 'expertLayers'>,
  { ids, past, hooks, given }: Pick<StepRequest, 'ids' | 'past' | 'hooks' | 'given'>,
): KnownStep {
  return new KnownStep({
    experts(layer, ahead) {
      const id = ids[ahead];
      const { known: table, knownBy } = expertLayers[layer] ?? {};
      if (table) return id === undefined ? undefined : table(id);
      if (knownBy !== undefined) return given?.row(knownBy, past + ahead);
      return hooks?.known?.(layer, past + ahead);
    },
  });
}
