import source from '../../../shaders/attention/rope-kv.wgsl?raw';
import { render } from '../../gpu/program.ts';
import { featuresOf, foldGrid, gridPart, reducePart, SCALARS, scalarPrelude } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Which vectors the RMS norm of queries and keys runs over: nothing, each head, or all heads together. */
export type QkNorm = 'none' | 'head' | 'vector';

/** How dimensions pair up for the rotation, as the `style` parameter wants it. */
export const ROPE_STYLES = { half: 0, pair: 1 } as const;

/** What decides the grid: the heads of every token. */
export interface RopeKvSize {
  readonly tokens: number;
  readonly heads: number;
  readonly kvHeads: number;
}

const PLAIN = { qkv: 'read', angles: 'read', q: 'write', k_cache: 'write', v_cache: 'write' } as const;
const NORMED = { ...PLAIN, q_gain: 'read', k_gain: 'read' } as const;

/**
 * Splits the fused projection, norms and rotates queries and keys, and appends keys and values to the cache at row
 * `past`. Without a norm there are no gains to bind.
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
  },
  variants: [
    // Without a norm nothing is summed, so subgroups change nothing.
    ...cross({ scalar: SCALARS, norm: ['none'], subgroups: [false], wg: [4, 64] }),
    ...cross({ scalar: SCALARS, norm: ['head', 'vector'], subgroups: [false, true], wg: [4, 64] }),
  ],
  parts: ({ scalar, norm, subgroups }) => [
    scalarPrelude(scalar, subgroups),
    gridPart,
    ...(norm === 'none' ? [] : [reducePart(subgroups)]),
    render(
      { name: 'attention/rope-kv.wgsl', text: source },
      { normed: norm !== 'none', whole: norm === 'vector' },
    ),
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, norm, subgroups, wg }) => `rope-kv/${scalar}/${norm}/${subgroups ? 'sg' : 'wg'}${wg}`,
  grid: ({ tokens, heads, kvHeads }: RopeKvSize, { norm }) =>
    foldGrid(tokens * (norm === 'vector' ? 3 : heads + 2 * kvHeads)),
});
