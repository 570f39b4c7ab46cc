import { invariant } from '../../errors.ts';
import { layerNorm } from '../../kernels/norm/layer-norm.ts';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { dispatch, scalarOf, type LowerContext } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import type { Scalar, Tensor, Weight } from '../tensor.ts';

/**
 * Variants of a row kernel in order of preference: wide workgroups for long rows, subgroups if available.
 *
 * @param scalar - of the result; default: that of activations
 */
export function rowVariants<
  V extends { readonly scalar: string; readonly subgroups: boolean; readonly wg: number },
>(variants: readonly V[], { scalar: own, subgroups }: LowerContext, cols: number, scalar: Scalar = own): V[] {
  const preferred = cols > 1024 ? 256 : 64;
  const rank = (variant: V) => Number(variant.subgroups !== subgroups) * 2 + Number(variant.wg !== preferred);
  return variants.filter((variant) => variant.scalar === scalar).sort((a, b) => rank(a) - rank(b));
}

/** Checks that a tensor is f32, as those of the residual stream, whose values may exceed 65504, the largest f16. */
export function assertStream(tensor: Tensor, context: LowerContext): void {
  invariant(
    scalarOf(tensor, context) === 'f32',
    () => `${tensor.name} is stored as activations are; wanted type 'f32'`,
  );
}

/** Number of rows of a tensor with `cols` columns in a step. */
export function rowsOf(tensor: Tensor, cols: number, tokens: number): number {
  return tensor.perToken > 0 ? (tensor.perToken / cols) * tokens : tensor.fixed / cols;
}

/** Inputs, outputs and attributes of a root-mean-square norm (Zhang and Sennrich 2019). */
export interface RmsNormIo {
  readonly x: Tensor; // f32
  readonly gain: Weight;
  readonly y: Tensor;
  readonly eps: number;
}

/** y = rmsNorm(x) * gain, row by row. */
export const rmsNormNode = defineCoreOp<RmsNormIo>({
  name: 'rms-norm',
  reads: ({ x, gain }) => [x, gain],
  writes: ({ y }) => [y],
  lower(context, { x, gain, y, eps }) {
    assertStream(x, context);
    const { cols } = gain;
    return [
      context.choose(
        rmsNorm,
        rowVariants(rmsNorm.variants, context, cols, scalarOf(y, context)),
        `${cols}`,
        (variant) =>
          dispatch(rmsNorm, variant, {
            buffers: { x, gain, y },
            params: ({ tokens }) => ({ rows: rowsOf(x, cols, tokens), cols, eps }),
            size: ({ tokens }) => ({ rows: rowsOf(x, cols, tokens) }),
          }),
      ),
    ];
  },
});

/** Inputs, outputs and attributes of a layer norm (Ba et al. 2016). */
export interface LayerNormIo extends RmsNormIo {
  readonly shift: Weight;
}

/** y = layerNorm(x) * gain + shift, row by row. */
export const layerNormNode = defineCoreOp<LayerNormIo>({
  name: 'layer-norm',
  reads: ({ x, gain, shift }) => [x, gain, shift],
  writes: ({ y }) => [y],
  lower(context, { x, gain, shift, y, eps }) {
    assertStream(x, context);
    const { cols } = gain;
    return [
      context.choose(layerNorm, rowVariants(layerNorm.variants, context, cols), `${cols}`, (variant) =>
        dispatch(layerNorm, variant, {
          buffers: { x, gain, shift, y },
          params: ({ tokens }) => ({ rows: rowsOf(x, cols, tokens), cols, eps }),
          size: ({ tokens }) => ({ rows: rowsOf(x, cols, tokens) }),
        }),
      ),
    ];
  },
});
