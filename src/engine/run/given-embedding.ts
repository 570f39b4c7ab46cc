import { AtomoeError } from '../../errors.ts';
import type { ModelGraph } from '../../graph/node.ts';
import type { Tensor } from '../../graph/tensor.ts';

/**
 * The tensor that an embedding is written to in place of looking it up: f32 [tokens, hidden].
 *
 * @throws {AtomoeError} unsupported-model
 */
export function embeddedOf({ embedded }: ModelGraph): Tensor {
  if (embedded) return embedded;
  throw new AtomoeError(
    'unsupported-model',
    'the family of this model builds a graph without `embedded`, so that no embedding can take the place of a token; ' +
      'wanted one that names it; choose another strategy of decoding',
  );
}
