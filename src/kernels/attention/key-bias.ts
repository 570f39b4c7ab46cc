import { featuresOf, foldGrid, gridPart } from '../common.ts';
import { rarePart } from '../forms/parts.ts';
import { defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid: [tokens, heads]. */
export interface KeyBiasSize {
  readonly tokens: number;
  readonly heads: number;
}

/**
 * What the scores of each key are raised by (Doge): cache[past + t, h] = exp(slope[h] * softplus(x[t, h])).
 *
 * x [tokens, heads] f32, slope [heads] f32 -> cache [context, heads] f32
 */
export const keyBias = defineKernel({
  name: 'key-bias',
  bindings: { x: 'read', slope: 'read', cache: 'write' },
  params: { tokens: 'u32', past: 'u32', heads: 'u32' },
  variants: [{ subgroups: false, wg: 64 }],
  parts: () => [gridPart, rarePart('attention/key-bias')],
  overrides: ({ wg }) => ({ WG: wg }),
  features: featuresOf,
  key: ({ wg }) => `key-bias/wg${wg}`,
  grid: ({ tokens, heads }: KeyBiasSize, { wg }) => foldGrid(Math.ceil((tokens * heads) / wg)),
});
