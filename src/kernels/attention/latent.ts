import keysSource from '../../../shaders/attention/latent-keys.wgsl?raw';
import querySource from '../../../shaders/attention/latent-query.wgsl?raw';
import valuesSource from '../../../shaders/attention/latent-values.wgsl?raw';
import { featuresOf, foldGrid, gridPart, reducePart, SCALARS, scalarPrelude } from '../common.ts';
import { cross, defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid: elements of the output. */
export interface LatentSize {
  readonly rows: number; // tokens * heads
  readonly cols: number; // of a row of the output
}

/**
 * Queries of multi-head latent attention in the space of its latents (DeepSeek-V2, arXiv:2405.04434): keys are never made.
 *
 * q [tokens, heads, nope + rotary], weight [heads * rank, nope] f32, angles [positions, rotary / 2, (cos, sin)] f32
 * -> y [tokens, heads, rank + rotary]
 */
export const latentQuery = defineKernel({
  name: 'latent-query',
  bindings: { q: 'read', weight: 'read', angles: 'read', y: 'write' },
  params: {
    tokens: 'u32',
    past: 'u32',
    heads: 'u32',
    nope: 'u32',
    rotary: 'u32',
    rank: 'u32',
    style: 'u32',
  },
  variants: cross({ scalar: SCALARS, wg: [64] }),
  parts: ({ scalar }) => [
    scalarPrelude(scalar),
    gridPart,
    { name: 'attention/latent-query.wgsl', text: querySource },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, wg }) => `latent-query/${scalar}/wg${wg}`,
  grid: ({ rows, cols }: LatentSize, { wg }) => foldGrid(Math.ceil((rows * cols) / wg)),
});

/**
 * Appends normalised latents and rotated shared keys to the cache.
 *
 * x [tokens, rank + rotary], gain [rank] f32, angles [positions, rotary / 2, (cos, sin)] f32 -> rows past .. past + tokens - 1
 * of cache [context, rank + rotary]
 */
export const latentKeys = defineKernel({
  name: 'latent-keys',
  bindings: { x: 'read', gain: 'read', angles: 'read', cache: 'write' },
  params: { tokens: 'u32', past: 'u32', rotary: 'u32', rank: 'u32', style: 'u32', eps: 'f32' },
  variants: cross({ scalar: SCALARS, subgroups: [false, true], wg: [64] }),
  parts: ({ scalar, subgroups }) => [
    scalarPrelude(scalar, subgroups),
    gridPart,
    reducePart(subgroups),
    { name: 'attention/latent-keys.wgsl', text: keysSource },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, subgroups, wg }) => `latent-keys/${scalar}/${subgroups ? 'sg' : 'wg'}${wg}`,
  grid: ({ tokens }: { readonly tokens: number }) => foldGrid(tokens),
});

/**
 * Values of multi-head latent attention from weighted latents.
 *
 * o [tokens, heads, rank + rotary], weight [heads * dims, rank] f32 -> y [tokens, heads, dims]
 */
export const latentValues = defineKernel({
  name: 'latent-values',
  bindings: { o: 'read', weight: 'read', y: 'write' },
  params: { tokens: 'u32', heads: 'u32', dims: 'u32', rotary: 'u32', rank: 'u32' },
  variants: cross({ scalar: SCALARS, wg: [64] }),
  parts: ({ scalar }) => [
    scalarPrelude(scalar),
    gridPart,
    { name: 'attention/latent-values.wgsl', text: valuesSource },
  ],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ scalar, wg }) => `latent-values/${scalar}/wg${wg}`,
  grid: ({ rows, cols }: LatentSize, { wg }) => foldGrid(Math.ceil((rows * cols) / wg)),
});
