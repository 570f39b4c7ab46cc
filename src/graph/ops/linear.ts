import { linear, type LinearVariant } from '../../kernels/linear.ts';
import { linearTiled } from '../../kernels/linear-tiled.ts';
import { linearReference } from '../../kernels/linear.reference.ts';
import { dispatch, scalarOf, type LowerContext, type Node } from '../node.ts';
import type { Tensor, Weight } from '../tensor.ts';
import { rowsOf } from './basic.ts';

export interface LinearIo {
  readonly x: Tensor; // [rows, cols]
  readonly weight: Weight; // [outs, cols]
  readonly bias?: Weight | undefined; // [outs]
  readonly y: Tensor; // [rows, outs]; f32 for logits, else as activations are
  readonly multiplier?: number;
}

/** y = multiplier * (x W^T + bias) */
export function linearNode(label: string, io: LinearIo): Node {
  const { x, weight, bias, y, multiplier = 1 } = io;
  const { rows: outs, cols } = weight;
  return {
    op: 'linear',
    label,
    lower: (context) => [lowerLinear(context, io)],
    run: (context) => {
      const rows = rowsOf(x, cols, context.step.tokens);
      const offsets = bias && context.weight(bias);
      const options = { rows, cols, outs, multiplier };
      context.put(y, linearReference(context.floats(x), context.weight(weight), offsets, options));
    },
  };
}

function lowerLinear(context: LowerContext, { x, weight, bias, y, multiplier = 1 }: LinearIo) {
  const { rows: outs, cols } = weight;
  const format = context.format(weight);
  const scales = context.scales(weight);
  const out = scalarOf(y, context);
  const size = (tokens: number) => ({ rows: rowsOf(x, cols, tokens), cols, outs });
  const fits = (variant: LinearVariant) =>
    variant.scalar === context.scalar &&
    variant.out === out &&
    variant.format === format &&
    variant.bias === (bias !== undefined);
  const most = size(context.maxTokens).rows;
  const kernel = most > FEW_ROWS ? linearTiled : linear;
  const candidates = kernel.variants
    .filter((variant) => fits(variant) && (most > FEW_ROWS || variant.rows === (most === 1 ? 1 : 4)))
    .sort((a, b) => preference(b, context) - preference(a, context));
  return context.choose(kernel, candidates, `${outs}x${cols} ${format}`, (variant) =>
    dispatch(kernel, variant, {
      buffers: { x, w: weight, y, ...(bias ? { bias } : {}) },
      params: ({ tokens }) => ({ ...size(tokens), scales, multiplier }),
      size: ({ tokens }) => size(tokens),
    }),
  );
}

/** Up to here rows walk the weights by themselves; beyond, they share tiles. */
const FEW_ROWS = 8;

/**
 * Without a measurement: lanes work in teams, by subgroups where there are any. On a software adapter each works alone,
 * and for as many outputs as it can.
 */
function preference({ lanes, outs, subgroups }: LinearVariant, context: LowerContext): number {
  if (context.adapterClass === 'software') return (lanes === 1 ? 100 : 0) + outs;
  return (lanes > 1 ? 2 : 0) + Number(subgroups === context.subgroups);
}
