import type { Part } from '../../gpu/program.ts';
import source from '../../../shaders/lib/activation.wgsl?raw';

/** Activation functions in the order of their codes, the values of the parameter `act`. */
export const ACTIVATIONS = ['silu', 'gelu-tanh', 'gelu', 'relu', 'relu2'] as const;

/** The name of an activation. */
export type Activation = (typeof ACTIVATIONS)[number];

/** The code of an activation in kernels and references. */
export function activationCode(activation: Activation): number {
  return ACTIVATIONS.indexOf(activation);
}

/** WGSL `activate(kind, x)`, `sigmoid(x)`. */
export const activationPart: Part = { name: 'lib/activation.wgsl', text: source };
