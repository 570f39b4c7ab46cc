import source from '../../../shaders/recurrent/delta-scan.wgsl?raw';
import { activationPart } from '../core/activation.ts';
import { foldGrid, gridPart } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';
import { softplusPart, type ScanSize } from './state-scan.ts';

/**
 * The recurrence of gated delta nets (Yang, Kautz and Hatamizadeh 2024, arXiv:2412.06464), token by token: S = exp(g) S,
 * d = beta (v - S^T k), S = S + k d^T, y = S^T q, for q and k of length 1 and q / sqrt(key_dim); beta = sigmoid(b),
 * g = -exp(a_log) softplus(a + a_bias). Its state is S of each head.
 *
 * projected [tokens, stride] f32: b, then a of the heads from column `first`; mixed [tokens, 2 * key_heads * key_dim + heads * dims]:
 * q, k, v; rates [2, heads] f32: a_log, a_bias; before, after [key_dim, heads * dims] f32 -> y [tokens, heads * dims] f32. Head h has
 * the key head h / (heads / key_heads), or, `tiled`, h % key_heads.
 */
export const deltaScan = defineKernel({
  name: 'delta-scan',
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
    key_heads: 'u32',
    key_dim: 'u32',
    heads: 'u32',
    dims: 'u32',
    stride: 'u32',
    first: 'u32',
    tiled: 'u32',
  },
  variants: cross({ wg: [64] }),
  parts: () => [gridPart, activationPart, softplusPart, { name: 'recurrent/delta-scan.wgsl', text: source }],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ wg }) => `delta-scan/wg${wg}`,
  grid: ({ cols }: ScanSize, { wg }) => foldGrid(Math.ceil(cols / wg)),
});
