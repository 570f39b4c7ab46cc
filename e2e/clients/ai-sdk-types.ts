/** A type test: the model is one of the AI SDK's, and takes what the SDK hands to models. */
import type { LanguageModelV3 } from '@ai-sdk/provider';
import { atomoe } from '../../src/ai-sdk/index.ts';
import type { Engine } from '../../src/engine/api.ts';

export function modelOf(engine: Engine): LanguageModelV3 {
  return atomoe(engine);
}

/** The test itself works: what does not fit is refused. */
export function wrong(engine: Engine): LanguageModelV3 {
  // @ts-expect-error - a version that the interface has not
  return { ...atomoe(engine), specificationVersion: 'v9' };
}
