import { activate, sigmoid } from '../../core/activation.reference.ts';
import { CELL_ACTIVATIONS } from './activation.ts';

/** The activation of a code of `CELL_ACTIVATIONS`. */
export function activationReference(kind: number, x: number): number {
  if (kind === CELL_ACTIVATIONS.sigmoid) return sigmoid(x);
  if (kind === CELL_ACTIVATIONS.none) return x;
  return kind === CELL_ACTIVATIONS.tanh ? Math.tanh(x) : activate(kind, x);
}
