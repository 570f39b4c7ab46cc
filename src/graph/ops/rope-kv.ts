import { ROPE_STYLES } from '../../kernels/attention/rope-angles.ts';
import { ropeKv, type QkNorm } from '../../kernels/attention/rope-kv.ts';
import { dispatch, type Dispatch, type LowerContext } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import type { Tensor, Weight } from '../tensor.ts';
import type { HeadShape } from './attention.ts';

/** Inputs, outputs and attributes of splitting, normalising, rotating and caching q, k and v. */
export interface RopeKvIo extends HeadShape {
  readonly qkv: Tensor; // [tokens, heads + 2 * kvHeads, headDim]
  readonly angles: Weight; // [positions, rotaryDim / 2, (cos, sin)]
  readonly gains: { readonly q: Weight; readonly k: Weight } | undefined;
  readonly norm: QkNorm;
  readonly rotaryDim: number;
  readonly style: keyof typeof ROPE_STYLES;
  readonly eps: number;
  readonly clip?: number | undefined; // bound of q, k and v before the rotation; 0, the default: none
  readonly q: Tensor; // [tokens, heads, headDim]
  readonly kCache: Tensor; // state [contextTokens, kvHeads, headDim]
  readonly vCache: Tensor;
}

/** Splits the fused projection, normalises and rotates q and k (RoPE), and appends k and v to the cache. */
export const ropeKvNode = defineCoreOp<RopeKvIo>({
  name: 'rope-kv',
  reads: ({ qkv, angles, gains, kCache, vCache }) => [qkv, angles, gains?.q, gains?.k, kCache, vCache],
  writes: ({ q, kCache, vCache }) => [q, kCache, vCache],
  lower: lowerRopeKv,
});

function lowerRopeKv(context: LowerContext, io: RopeKvIo): Dispatch[] {
  const {
    qkv,
    angles,
    gains,
    norm,
    heads,
    kvHeads,
    headDim,
    rotaryDim,
    style,
    eps,
    clip = 0,
    q,
    kCache,
    vCache,
  } = io;
  const candidates = ropeKv.variants
    .filter((variant) => variant.scalar === context.scalar && variant.norm === norm)
    .sort((a, b) => b.wg - a.wg || Number(b.subgroups) - Number(a.subgroups));
  const bound = { qkv, angles, q, k_cache: kCache, v_cache: vCache };
  return [
    context.choose(ropeKv, candidates, `${norm} ${heads}/${kvHeads}x${headDim}`, (variant) =>
      dispatch(ropeKv, variant, {
        buffers: { ...bound, ...(gains ? { q_gain: gains.q, k_gain: gains.k } : {}) },
        params: ({ tokens, past }) => ({
          tokens,
          past,
          heads,
          kv_heads: kvHeads,
          head_dim: headDim,
          rotary_dim: rotaryDim,
          style: ROPE_STYLES[style],
          eps,
          clip,
        }),
        size: ({ tokens }) => ({ tokens, heads, kvHeads }),
      }),
    ),
  ];
}
