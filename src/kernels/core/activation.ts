import type { Part } from '../../gpu/program.ts';
import source from '../../../shaders/lib/activation.wgsl?raw';

/** Activations in the order of the `act` parameter: `ACTIVATIONS.indexOf('silu')` is what kernels take. */
export const ACTIVATIONS = ['silu', 'gelu-tanh', 'gelu', 'relu', 'relu2'] as const;

/** The name of an activation. */
export type Activation = (typeof ACTIVATIONS)[number];

/** The number that kernels and references know an activation by. */
export function activationCode(activation: Activation): number {
  return ACTIVATIONS.indexOf(activation);
}

/** `activate(kind, x)`, `sigmoid(x)`. */
export const activationPart: Part = { name: 'lib/activation.wgsl', text: source };
