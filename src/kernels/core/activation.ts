import type { Part } from '../../gpu/program.ts';
import source from '../../../shaders/lib/activation.wgsl?raw';

/** Activation functions in the order of their codes, the values of the parameter `act`. */
export const ACTIVATIONS = ['silu', 'gelu-tanh', 'gelu', 'relu', 'relu2'] as const;

/** The name of an activation. */
export type Activation = (typeof ACTIVATIONS)[number];

/**
 * Ways to combine gate and up in the order of their codes: act(gate) * up, or the clamped SwiGLU of gpt-oss,
 * (clamp(up, -7, 7) + 1) * g * sigmoid(1.702 g), g = min(gate, 7).
 */
export const GLU_ACTIVATIONS = [...ACTIVATIONS, 'clamped-swiglu'] as const;

/** The name of a way to combine gate and up. */
export type GluActivation = (typeof GLU_ACTIVATIONS)[number];

/** The code of an activation in kernels and references. */
export function activationCode(activation: GluActivation): number {
  return GLU_ACTIVATIONS.indexOf(activation);
}

/** WGSL `activate(kind, x)`, `gated(kind, gate, up)`, `sigmoid(x)`. */
export const activationPart: Part = { name: 'lib/activation.wgsl', text: source };
