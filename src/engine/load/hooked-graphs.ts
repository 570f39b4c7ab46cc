import { buildGraph } from '../../blocks/family.ts';
import type { ModelGraph } from '../../graph/node.ts';
import { modelGraphs, type Drafted } from './planning.ts';

/** The graphs that run the requests with hooks of a model, or those without. */
export type HookedGraphs = Pick<Drafted, 'decode' | 'prefill'>;

/** Builds the graphs with hooks. Their code comes with the first request that has any. */
export async function hookedGraphs(drafted: Drafted): Promise<HookedGraphs> {
  const { openHooks } = await import('../../blocks/hooks.ts');
  return modelGraphs(drafted, drafted, openHooks);
}

/** Builds the graph with the logits of every position. */
export async function logitsGraph(drafted: Drafted, hasHooks: boolean): Promise<ModelGraph> {
  const { contextTokens, lossy } = drafted;
  const purpose = { logits: 'all', sample: false, contextTokens, skipBelow: lossy.skipBelow } as const;
  if (!hasHooks) return buildGraph(drafted, purpose);
  const { openHooks } = await import('../../blocks/hooks.ts');
  return buildGraph(drafted, { ...purpose, hooks: openHooks });
}
