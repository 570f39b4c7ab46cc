import { latentKeys, latentQuery, latentValues } from '../../kernels/attention/latent.ts';
import { ROPE_STYLES } from '../../kernels/attention/rope-angles.ts';
import { dispatch } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import type { Tensor, Weight } from '../tensor.ts';

/** Sizes of latents, and the rotation of their shared keys. */
interface LatentShape {
  readonly rank: number; // of the latents
  readonly rotary: number;
  readonly style: keyof typeof ROPE_STYLES;
}

/** Inputs, outputs and attributes of queries in the space of latents. */
export interface LatentQueryIo extends LatentShape {
  readonly q: Tensor; // [tokens, heads, nope + rotary]
  readonly weight: Weight; // f32 [heads * rank, nope]
  readonly angles: Weight; // [positions, rotary / 2, (cos, sin)]
  readonly y: Tensor; // [tokens, heads, rank + rotary]
  readonly heads: number;
  readonly nope: number;
}

/** y = (weight[h] q[: nope], rotated q[nope :]) of each head. */
export const latentQueryNode = defineCoreOp<LatentQueryIo>({
  name: 'latent-query',
  reads: ({ q, weight, angles }) => [q, weight, angles],
  writes: ({ y }) => [y],
  lower(context, { q, weight, angles, y, heads, nope, rank, rotary, style }) {
    const candidates = latentQuery.variants.filter(({ scalar }) => scalar === context.scalar);
    return [
      context.choose(latentQuery, candidates, `${heads}x${nope} to ${rank}+${rotary}`, (variant) =>
        dispatch(latentQuery, variant, {
          buffers: { q, weight, angles, y },
          params: ({ tokens, past }) => ({
            ...{ tokens, past, heads, nope, rotary, rank },
            style: ROPE_STYLES[style],
          }),
          size: ({ tokens }) => ({ rows: tokens * heads, cols: rank + rotary }),
          work: ({ tokens }) => tokens * heads * rank * nope,
        }),
      ),
    ];
  },
});

/** Inputs, outputs and attributes of appending latents and shared keys to a cache. */
export interface LatentKeysIo extends LatentShape {
  readonly x: Tensor; // [tokens, rank + rotary]
  readonly gain: Weight; // f32 [rank]
  readonly angles: Weight; // [positions, rotary / 2, (cos, sin)]
  readonly cache: Tensor; // state [contextTokens, rank + rotary]
  readonly eps: number;
}

/** Normalises latents, rotates shared keys, and appends both to the cache. */
export const latentKeysNode = defineCoreOp<LatentKeysIo>({
  name: 'latent-keys',
  reads: ({ x, gain, angles, cache }) => [x, gain, angles, cache],
  writes: ({ cache }) => [cache],
  lower(context, { x, gain, angles, cache, rank, rotary, style, eps }) {
    const candidates = latentKeys.variants
      .filter(({ scalar }) => scalar === context.scalar)
      .sort((a, b) => Number(b.subgroups) - Number(a.subgroups));
    return [
      context.choose(latentKeys, candidates, `${rank}+${rotary}`, (variant) =>
        dispatch(latentKeys, variant, {
          buffers: { x, gain, angles, cache },
          params: ({ tokens, past }) => ({ tokens, past, rotary, rank, style: ROPE_STYLES[style], eps }),
          size: ({ tokens }) => ({ tokens }),
        }),
      ),
    ];
  },
});

/** Inputs, outputs and attributes of values from weighted latents. */
export interface LatentValuesIo extends Pick<LatentShape, 'rank' | 'rotary'> {
  readonly o: Tensor; // [tokens, heads, rank + rotary]
  readonly weight: Weight; // f32 [heads * dims, rank]
  readonly y: Tensor; // [tokens, heads, dims]
  readonly heads: number;
  readonly dims: number;
}

/** y = weight[h] o[: rank] of each head. */
export const latentValuesNode = defineCoreOp<LatentValuesIo>({
  name: 'latent-values',
  reads: ({ o, weight }) => [o, weight],
  writes: ({ y }) => [y],
  lower(context, { o, weight, y, heads, dims, rank, rotary }) {
    const candidates = latentValues.variants.filter(({ scalar }) => scalar === context.scalar);
    return [
      context.choose(latentValues, candidates, `${heads}x${dims} from ${rank}`, (variant) =>
        dispatch(latentValues, variant, {
          buffers: { o, weight, y },
          params: ({ tokens }) => ({ tokens, heads, dims, rotary, rank }),
          size: ({ tokens }) => ({ rows: tokens * heads, cols: dims }),
          work: ({ tokens }) => tokens * heads * rank * dims,
        }),
      ),
    ];
  },
});
