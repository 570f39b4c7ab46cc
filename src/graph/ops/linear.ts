import { linear, type LinearVariant } from '../../kernels/linear.ts';
import { linearReference } from '../../kernels/linear.reference.ts';
import { dispatch, type LowerContext, type Node } from '../node.ts';
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
  const out = y.type === 'scalar' ? context.scalar : 'f32';
  const size = (tokens: number) => ({ rows: rowsOf(x, cols, tokens), cols, outs });
  const fits = (variant: LinearVariant) =>
    variant.scalar === context.scalar &&
    variant.out === out &&
    variant.format === format &&
    variant.bias === (bias !== undefined);
  const isSingle = size(context.maxTokens).rows === 1;
  const candidates = linear.variants
    .filter((variant) => fits(variant) && variant.rows === (isSingle ? 1 : 4))
    .sort((a, b) => preference(b, context) - preference(a, context));
  return context.choose(linear, candidates, `${outs}x${cols} ${format}`, (variant) =>
    dispatch(linear, variant, {
      buffers: { x, w: weight, y, ...(bias ? { bias } : {}) },
      params: ({ tokens }) => ({ ...size(tokens), scales, multiplier }),
      size: ({ tokens }) => size(tokens),
    }),
  );
}

/** Without a measurement: a subgroup's lanes share a row of weights. */
function preference({ lanes, subgroups }: LinearVariant, context: LowerContext): number {
  return (lanes === 32 ? 2 : 0) + Number(subgroups === context.subgroups);
}
