import { tensorsOf } from '../../graph/tensor.ts';
import type { Drafted } from './planning.ts';
import { densePartsOf } from './weights.ts';

/**
 * Every tensor that a model's graphs read, in their order: all of the model but its routed experts, and nothing that no graph reads.
 *
 * @throws {AtomoeError} bad-file; unsupported-model - a tensor is not as the config says
 */
export function denseNames({ context, decode, prefill }: Drafted): Set<string> {
  const names = new Set<string>();
  for (const weight of [...decode.weights, ...prefill.weights]) {
    densePartsOf(weight, context);
    for (const tensor of tensorsOf(weight)) names.add(tensor);
  }
  return names;
}
