import { invariant } from '../../errors.ts';
import { rmsNorm } from '../../kernels/rms-norm.ts';
import { rmsNormReference } from '../../kernels/rms-norm.reference.ts';
import { dispatch, scalarOf, type LowerContext, type Node } from '../node.ts';
import type { Tensor, Weight } from '../tensor.ts';

/** Variants of a row kernel, best guess first: wide workgroups for long rows, subgroups where they are. */
export function rowVariants<
  V extends { readonly scalar: string; readonly subgroups: boolean; readonly wg: number },
>(variants: readonly V[], { scalar, subgroups }: LowerContext, cols: number): V[] {
  const preferred = cols > 1024 ? 256 : 64;
  const rank = (variant: V) => Number(variant.subgroups !== subgroups) * 2 + Number(variant.wg !== preferred);
  return variants.filter((variant) => variant.scalar === scalar).sort((a, b) => rank(a) - rank(b));
}

/** The residual stream passes 65504, where f16 ends: its tensors are f32 whatever activations are. */
export function assertStream(tensor: Tensor, context: LowerContext): void {
  invariant(scalarOf(tensor, context) === 'f32', () => `${tensor.name} is of the stream; wanted type 'f32'`);
}

/** y = rmsNorm(x) * gain, row by row. x is f32. */
export function rmsNormNode(label: string, io: { x: Tensor; gain: Weight; y: Tensor; eps: number }): Node {
  const { x, gain, y, eps } = io;
  const { cols } = gain;
  const rowsOf = (tokens: number) => (x.perToken > 0 ? (x.perToken / cols) * tokens : x.fixed / cols);
  return {
    op: 'rms-norm',
    label,
    lower: (context) => {
      assertStream(x, context);
      return [
        context.choose(rmsNorm, rowVariants(rmsNorm.variants, context, cols), `${cols}`, (variant) =>
          dispatch(rmsNorm, variant, {
            buffers: { x, gain, y },
            params: ({ tokens }) => ({ rows: rowsOf(tokens), cols, eps }),
            size: ({ tokens }) => ({ rows: rowsOf(tokens) }),
          }),
        ),
      ];
    },
    run: (context) => {
      const rows = rowsOf(context.step.tokens);
      context.put(y, rmsNormReference(context.floats(x), context.weight(gain), { rows, cols, eps }));
    },
  };
}
