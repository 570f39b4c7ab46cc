import type { DecodingName, DecodingOptions } from './options.ts';
import type { DecodingStrategy } from './strategy.ts';

/** The strategies of the package, each loaded with the first reply that names it. */
const BUILT_IN: { readonly [N in DecodingName]: (given: DecodingOptions) => Promise<DecodingStrategy> } = {
  ngram: async (given) => (await import('./ngram.ts')).ngram(given),
  contrast: async (given) => (await import('./contrast.ts')).contrast(given),
  'soft-thinking': async (given) => (await import('./soft-thinking.ts')).softThinking(given),
  consistency: async (given) => (await import('./consistency.ts')).consistency(given),
  rewire: async (given) => (await import('./rewire.ts')).rewire(given),
};

/** @throws {AtomoeError} bad-input - an option of the strategy */
export function builtInStrategy(given: DecodingName | DecodingOptions): Promise<DecodingStrategy> {
  const options = typeof given === 'string' ? ({ kind: given } as DecodingOptions) : given;
  return BUILT_IN[options.kind](options);
}
