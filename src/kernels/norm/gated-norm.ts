import source from '../../../shaders/norm/gated-norm.wgsl?raw';
import { activationPart } from '../core/activation.ts';
import { featuresOf, foldGrid, gridPart, reducePart, SCALARS, scalarPrelude } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';
import type { RmsNormSize } from './rms-norm.ts';

/**
 * y = norm(x * silu(gate)) * gain, or norm(x) * gain * silu(gate), over groups of columns: the norms behind the recurrences of
 * Mamba-2 and of gated delta nets.
 *
 * x [tokens, groups * cols] f32; gates [tokens, stride] f32: columns first .. first + groups * cols - 1; gain [cols] or
 * [groups * cols] f32 -> y [tokens, groups * cols]
 */
export const gatedNorm = defineKernel({
  name: 'gated-norm',
  bindings: { x: 'read', gates: 'read', gain: 'read', y: 'write' },
  params: {
    rows: 'u32', // tokens * groups
    cols: 'u32',
    groups: 'u32',
    gains: 'u32', // elements of gain
    stride: 'u32',
    first: 'u32',
    gate_first: 'u32',
    eps: 'f32',
  },
  variants: cross({ scalar: SCALARS, subgroups: [false, true], wg: [4, 64, 256] }),
  parts: ({ scalar, subgroups }) => [
    scalarPrelude(scalar, subgroups),
    gridPart,
    reducePart(subgroups),
    activationPart,
    { name: 'norm/gated-norm.wgsl', text: source },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, subgroups, wg }) => `gated-norm/${scalar}/${subgroups ? 'sg' : 'wg'}${wg}`,
  grid: ({ rows }: RmsNormSize) => foldGrid(rows),
});
