import source from '../../../shaders/attention/rope-kv.wgsl?raw';
import { render } from '../../gpu/program.ts';
import { featuresOf, foldGrid, gridPart, reducePart, SCALARS, scalarPrelude } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

/**
 * Vectors over which queries and keys are RMS-normalised: none, each head or all heads together before the rotation, or each
 * head after it. `headAndValue`: each head before the rotation, and each head of the values, without a gain.
 */
export type QkNorm = 'none' | 'head' | 'headAndValue' | 'vector' | 'rotated';

/** Problem size, which determines the grid: the heads of every token. */
export interface RopeKvSize {
  readonly tokens: number;
  readonly heads: number;
  readonly kvHeads: number;
}

const PLAIN = { qkv: 'read', angles: 'read', q: 'write', k_cache: 'write', v_cache: 'write' } as const;
const NORMED = { ...PLAIN, q_gain: 'read', k_gain: 'read' } as const;

/**
 * Splits the fused projection, normalises and rotates queries and keys (or the reverse), and appends keys and values to the cache at row
 * `past`. Variants without a norm have no gains.
 *
 * qkv [tokens, (heads + 2 * kv_heads) * head_dim], angles [positions, rotary_dim / 2, (cos, sin)] f32 -> q [tokens, heads,
 * head_dim]; rows past .. past + tokens - 1 of k_cache and v_cache [context, kv_heads, head_dim]
 */
export const ropeKv = defineKernel({
  name: 'rope-kv',
  bindings: NORMED,
  bindingsOf: ({ norm }) => (norm === 'none' ? PLAIN : NORMED),
  params: {
    tokens: 'u32',
    past: 'u32',
    heads: 'u32',
    kv_heads: 'u32',
    head_dim: 'u32',
    rotary_dim: 'u32',
    style: 'u32',
    eps: 'f32',
    clip: 'f32', // bound of q, k and v before the rotation; 0: none
  },
  variants: [
    // Without a norm there is no sum, so subgroups make no difference.
    ...cross({ scalar: SCALARS, norm: ['none'], subgroups: [false], wg: [4, 64] }),
    ...cross({
      scalar: SCALARS,
      norm: ['head', 'headAndValue', 'vector', 'rotated'],
      subgroups: [false, true],
      wg: [4, 64],
    }),
  ],
  parts: ({ scalar, norm, subgroups }) => [
    scalarPrelude(scalar, subgroups),
    gridPart,
    ...(norm === 'none' ? [] : [reducePart(subgroups)]),
    render(
      { name: 'attention/rope-kv.wgsl', text: source },
      {
        normed: norm !== 'none',
        whole: norm === 'vector',
        early: norm === 'head' || norm === 'headAndValue' || norm === 'vector',
        values: norm === 'headAndValue',
        late: norm === 'rotated',
      },
    ),
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, norm, subgroups, wg }) => `rope-kv/${scalar}/${norm}/${subgroups ? 'sg' : 'wg'}${wg}`,
  grid: ({ tokens, heads, kvHeads }: RopeKvSize, { norm }) =>
    foldGrid(tokens * (norm === 'vector' ? 3 : heads + 2 * kvHeads)),
});
