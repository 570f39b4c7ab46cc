import type { Part } from '../../../gpu/program.ts';
import source from '../../../../shaders/lib/cell-activation.wgsl?raw';
import { activationPart } from '../../core/activation.ts';

/** The codes of the activations of layer descriptions, `act(kind, x)` of cells. */
export const CELL_ACTIVATIONS = {
  silu: 0,
  geluTanh: 1,
  gelu: 2,
  relu: 3,
  reluSquared: 4,
  none: 7,
  sigmoid: 8,
  tanh: 9,
} as const;

/** The name of an activation of a layer description. */
export type CellActivation = keyof typeof CELL_ACTIVATIONS;

/** WGSL `act(kind, x)`, and what lib/activation.wgsl has. */
export const cellActivationParts: readonly Part[] = [
  activationPart,
  { name: 'lib/cell-activation.wgsl', text: source },
];
