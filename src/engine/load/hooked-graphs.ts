import { modelGraphs, type Drafted } from './planning.ts';

/** The graphs that run the requests with hooks of a model, or those without. */
export type HookedGraphs = Pick<Drafted, 'decode' | 'prefill'>;

/** Builds the graphs with hooks. Their code comes with the first request that has any. */
export async function hookedGraphs(drafted: Drafted): Promise<HookedGraphs> {
  const { openHooks } = await import('../../blocks/hooks.ts');
  return modelGraphs(drafted, drafted, openHooks);
}
