import { gatedNorm } from '../../kernels/norm/gated-norm.ts';
import { causalConv } from '../../kernels/recurrent/causal-conv.ts';
import { deltaScan } from '../../kernels/recurrent/delta-scan.ts';
import { stateScan } from '../../kernels/recurrent/state-scan.ts';
import { dispatch, scalarOf } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import { nextOf, type Tensor, type Weight } from '../tensor.ts';
import { assertStream, rowVariants } from './norm.ts';

/**
 * Columns of a projection, from `first`. Projections before a recurrence are f32 even if activations are f16, because errors of
 * steps add up in states.
 */
export interface Columns {
  readonly tensor: Tensor; // f32 [tokens, stride]
  readonly first: number;
}

/** Inputs, outputs and attributes of a causal convolution. */
export interface CausalConvIo {
  readonly x: Columns;
  readonly weight: Weight; // f32 [cols, taps]
  readonly bias: Weight | undefined; // f32 [cols]
  readonly recent: Tensor; // state with parity, f32 [taps - 1, cols]: x of the last tokens
  readonly y: Tensor; // f32 [tokens, cols]
}

/** y = silu(bias + convolution(x)): causal and depthwise, over the weight's taps. */
export const causalConvNode = defineCoreOp<CausalConvIo>({
  name: 'causal-conv',
  reads: ({ x, weight, bias, recent }) => [x.tensor, weight, bias, recent],
  writes: ({ recent, y }) => [nextOf(recent), y],
  lower(context, { x, weight, bias, recent, y }) {
    const { rows: cols, cols: taps } = weight;
    assertStream(x.tensor, context);
    assertStream(y, context);
    const candidates = causalConv.variants.filter(({ biased }) => biased === (bias !== undefined));
    const { perToken: stride } = x.tensor;
    const buffers = { x: x.tensor, weight, before: recent, after: nextOf(recent), y };
    return [
      context.choose(causalConv, candidates, `${cols} over ${taps}`, (variant) =>
        dispatch(causalConv, variant, {
          buffers: { ...buffers, ...(bias ? { bias } : {}) },
          params: ({ tokens }) => ({ tokens, cols, taps, stride, first: x.first }),
          size: ({ tokens }) => ({ tokens, cols, taps }),
        }),
      ),
    ];
  },
});

/** Inputs, outputs and attributes of the scan of Mamba-2. */
export interface StateScanIo {
  readonly dt: Columns; // [tokens, heads]
  readonly mixed: Tensor; // f32 [tokens, heads * dims + 2 * groups * states]: x, B, C
  readonly rates: Weight; // f32, 3 * heads: a_log, D, dt_bias
  readonly state: Tensor; // with parity, f32 [states, heads * dims]
  readonly y: Tensor; // f32 [tokens, heads * dims]
  readonly heads: number;
  readonly dims: number;
  readonly groups: number; // of heads with common B and C
  readonly states: number;
  readonly bounds: readonly [lowest: number, highest: number]; // of dt
}

/** S = exp(dt A) S + dt x B^T, y = S C + D x, token by token (arXiv:2405.21060). */
export const stateScanNode = defineCoreOp<StateScanIo>({
  name: 'state-scan',
  reads: ({ dt, mixed, rates, state }) => [dt.tensor, mixed, rates, state],
  writes: ({ state, y }) => [nextOf(state), y],
  lower(context, { dt, mixed, rates, state, y, heads, dims, groups, states, bounds }) {
    for (const tensor of [dt.tensor, mixed, y]) assertStream(tensor, context);
    const sizes = { heads, dims, groups, states, stride: dt.tensor.perToken, first: dt.first };
    const [lowest, highest] = bounds;
    return [
      context.choose(stateScan, stateScan.variants, `${heads}x${dims} with ${states}`, (variant) =>
        dispatch(stateScan, variant, {
          buffers: { projected: dt.tensor, mixed, rates, before: state, after: nextOf(state), y },
          params: ({ tokens }) => ({ tokens, ...sizes, lowest, highest }),
          size: () => ({ cols: heads * dims }),
          work: ({ tokens }) => 2 * tokens * heads * dims * states,
        }),
      ),
    ];
  },
});

/** Inputs, outputs and attributes of a gated norm. */
export interface GatedNormIo {
  readonly x: Tensor; // f32 [tokens, groups * cols]
  readonly gate: Columns; // [tokens, groups * cols]
  readonly gain: Weight; // f32 [cols] or [groups * cols]
  readonly y: Tensor; // [tokens, groups * cols]
  readonly groups: number;
  readonly isGateFirst: boolean; // whether the gate is applied before the norm
  readonly eps: number;
}

/** y = norm(x * silu(gate)) * gain, or norm(x) * gain * silu(gate), over groups of columns. */
export const gatedNormNode = defineCoreOp<GatedNormIo>({
  name: 'gated-norm',
  reads: ({ x, gate, gain }) => [x, gate.tensor, gain],
  writes: ({ y }) => [y],
  lower(context, { x, gate, gain, y, groups, isGateFirst, eps }) {
    for (const tensor of [x, gate.tensor]) assertStream(tensor, context);
    const cols = x.perToken / groups;
    const places = { stride: gate.tensor.perToken, first: gate.first, gate_first: Number(isGateFirst) };
    const candidates = rowVariants(gatedNorm.variants, context, cols).filter(
      ({ scalar }) => scalar === scalarOf(y, context),
    );
    return [
      context.choose(gatedNorm, candidates, `${groups}x${cols}`, (variant) =>
        dispatch(gatedNorm, variant, {
          buffers: { x, gates: gate.tensor, gain, y },
          params: ({ tokens }) => ({
            ...{ rows: tokens * groups, cols, groups, gains: gain.cols * gain.rows },
            ...places,
            eps,
          }),
          size: ({ tokens }) => ({ rows: tokens * groups }),
        }),
      ),
    ];
  },
});

/** Inputs, outputs and attributes of the scan of a gated delta net. */
export interface DeltaScanIo {
  readonly gates: Columns; // [tokens, 2 * heads]: b, then a
  readonly mixed: Tensor; // f32 [tokens, 2 * keyHeads * keyDim + heads * dims]: q, k, v
  readonly rates: Weight; // f32, 2 * heads: a_log, a_bias
  readonly state: Tensor; // with parity, f32 [keyDim, heads * dims]
  readonly y: Tensor; // f32 [tokens, heads * dims]
  readonly keyHeads: number;
  readonly keyDim: number;
  readonly heads: number; // of values
  readonly dims: number; // of a head of values
  readonly tiled: boolean; // head h has the key head h % keyHeads; else h / (heads / keyHeads)
}

/** S = exp(g) S; S = S + beta k (v - S^T k)^T; y = S^T q, token by token (arXiv:2412.06464). */
export const deltaScanNode = defineCoreOp<DeltaScanIo>({
  name: 'delta-scan',
  reads: ({ gates, mixed, rates, state }) => [gates.tensor, mixed, rates, state],
  writes: ({ state, y }) => [nextOf(state), y],
  lower(context, { gates, mixed, rates, state, y, keyHeads, keyDim, heads, dims, tiled }) {
    for (const tensor of [gates.tensor, mixed, y]) assertStream(tensor, context);
    const sizes = { key_heads: keyHeads, key_dim: keyDim, heads, dims, tiled: Number(tiled) };
    const place = { stride: gates.tensor.perToken, first: gates.first };
    return [
      context.choose(
        deltaScan,
        deltaScan.variants,
        `${heads}x${dims} with ${keyHeads}x${keyDim}`,
        (variant) =>
          dispatch(deltaScan, variant, {
            buffers: { projected: gates.tensor, mixed, rates, before: state, after: nextOf(state), y },
            params: ({ tokens }) => ({ tokens, ...sizes, ...place }),
            size: () => ({ cols: heads * dims }),
            work: ({ tokens }) => 4 * tokens * heads * dims * keyDim,
          }),
      ),
    ];
  },
});
