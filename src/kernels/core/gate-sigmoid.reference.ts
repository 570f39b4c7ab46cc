import { sigmoid } from '../recurrent/functions.reference.ts';

/** y = x * sigmoid(gate), element by element. */
export function gateSigmoidReference(x: Float32Array, gate: Float32Array): Float32Array {
  return x.map((value, at) => value * sigmoid(gate[at]!));
}
