import softplusSource from '../../../shaders/lib/softplus.wgsl?raw';
import source from '../../../shaders/recurrent/state-scan.wgsl?raw';
import type { Part } from '../../gpu/program.ts';
import { foldGrid, gridPart } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

/** WGSL `softplus(x)`. */
export const softplusPart: Part = { name: 'lib/softplus.wgsl', text: softplusSource };

/** Problem size, which determines the grid: a lane per element of all heads. */
export interface ScanSize {
  readonly cols: number; // heads * dims
}

/**
 * The recurrence of Mamba-2 (Dao and Gu 2024, arXiv:2405.21060): S = exp(dt A) S + dt x B^T, y = S C + D x, token by token, with
 * dt = clamp(softplus(x_dt + dt_bias), lowest, highest) and A = -exp(a_log). Its state is S of each head.
 *
 * projected [tokens, stride] f32: x_dt of the heads from column `first`; mixed [tokens, heads * dims + 2 * groups * states] f32: x, B, C;
 * rates [3, heads] f32: a_log, D, dt_bias; before, after [states, heads * dims] f32 -> y [tokens, heads * dims] f32
 */
export const stateScan = defineKernel({
  name: 'state-scan',
  bindings: {
    projected: 'read',
    mixed: 'read',
    rates: 'read',
    before: 'read',
    after: 'write',
    y: 'write',
  },
  params: {
    tokens: 'u32',
    heads: 'u32',
    dims: 'u32',
    groups: 'u32',
    states: 'u32',
    stride: 'u32',
    first: 'u32',
    lowest: 'f32',
    highest: 'f32',
  },
  variants: cross({ wg: [64] }),
  parts: () => [gridPart, softplusPart, { name: 'recurrent/state-scan.wgsl', text: source }],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ wg }) => `state-scan/wg${wg}`,
  grid: ({ cols }: ScanSize, { wg }) => foldGrid(Math.ceil(cols / wg)),
});
