/** Which routes of a step are known before it runs. */
import type { KnownRoutes } from '../../experts/known-routes.ts';
import type { Drafted } from '../load/planning.ts';
import type { StepRequest } from './runner.ts';

/**
 * What a request and the model's tables say about routes: those of a trace that is replayed, also of later tokens, and those of tables by
 * the ids of the step's tokens.
 *
 * @returns undefined where nothing is known, and where light experts are left out, which no table knows
 */
export function knownRoutes(
  { expertLayers: layers, lossy }: Pick<Drafted, 'expertLayers' | 'lossy'>,
  { ids, past, hooks }: Pick<StepRequest, 'ids' | 'past' | 'hooks'>,
): KnownRoutes | undefined {
  if (lossy.skipBelow > 0 || !(hooks?.known || layers.some(({ known }) => known))) return undefined;
  return {
    experts(layer, ahead) {
      const id = ids[ahead];
      const table = layers[layer]?.known;
      if (table) return id === undefined ? undefined : table(id);
      return hooks?.known?.(layer, past + ahead);
    },
  };
}
