/** The tensors of a request that described routers read, as steps use them. */
import { AtomoeError } from '../../errors.ts';
import type { ModelGraph, RequestedTensor } from '../../graph/node.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { StepRequest } from './runner.ts';

/** Values of an input. */
export type InputValues = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** Tensors of one request, which were checked against those that the model asks for. */
export interface StepTensors {
  /** The values of an input for the tokens that come after the first `past`. */
  values(requested: RequestedTensor, past: number, tokens: number): InputValues;
  /** The row of the token at a position, where one is given. */
  row(name: string, position: number): ArrayLike<number> | undefined;
}

/**
 * The inputs of a step that its request gives.
 *
 * @throws {AtomoeError} bad-input - it gives none, and the graph reads some
 */
export function givenInputs(
  { requested = [] }: Pick<ModelGraph, 'requested'>,
  { given, past, ids }: Pick<StepRequest, 'given' | 'past' | 'ids'>,
): (readonly [Tensor, InputValues])[] {
  return requested.map((each) => {
    if (given) return [each.tensor, given.values(each, past, ids.length)];
    throw new AtomoeError(
      'bad-input',
      `the routing of the model reads "${each.name}" of a request, and there is none; ask by generate, with tensors`,
    );
  });
}
