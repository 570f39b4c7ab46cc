import { linear, type LinearVariant } from '../../kernels/linear/linear.ts';
import { linearTiled } from '../../kernels/linear/linear-tiled.ts';
import { inFormat } from '../../kernels/weights.ts';
import { dispatch, scalarOf, type Dispatch, type LowerContext, type MatrixPart, type Step } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import { inPieces, type Piece } from '../pieces.ts';
import type { Tensor, Weight } from '../tensor.ts';
import { rowsOf } from './norm.ts';

/** Inputs, outputs and attributes of a linear map. */
export interface LinearIo {
  readonly x: Tensor; // [rows, cols]
  readonly weight: Weight; // [outs, cols]
  readonly bias?: Weight | undefined; // [outs]
  readonly y: Tensor; // [rows, outs]; f32 for logits, else `scalar`
  readonly multiplier?: number;
}

/** y = multiplier * (x W^T + bias). */
export const linearNode = defineCoreOp<LinearIo>({
  name: 'linear',
  reads: ({ x, weight, bias }) => [x, weight, bias],
  writes: ({ y }) => [y],
  lower: lowerLinear,
});

/** A dispatch per part of the matrix and, with many rows, per piece of it. */
function lowerLinear(context: LowerContext, io: LinearIo): Dispatch[] {
  const { x, weight } = io;
  const { cols } = weight;
  return context.parts(weight).flatMap((part) => {
    const cut = ({ tokens }: Step) => ({
      count: part.rows,
      each: rowsOf(x, cols, tokens) * cols,
      unit: PIECE_OUTS,
    });
    return inPieces(context, cut, (pieceOf) => lowerPiece(context, io, part, pieceOf));
  });
}

/** A dispatch for the outputs of some rows of a part. */
function lowerPiece(
  context: LowerContext,
  { x, weight, bias, y, multiplier = 1 }: LinearIo,
  part: MatrixPart,
  pieceOf: (step: Step) => Piece,
): Dispatch {
  const { rows: outs, cols } = weight;
  const { format } = part;
  const out = scalarOf(y, context);
  const size = (step: Step) => ({ rows: rowsOf(x, cols, step.tokens), cols, outs: pieceOf(step).count });
  const fits = (variant: LinearVariant) =>
    variant.scalar === scalarOf(x, context) && variant.out === out && variant.bias === (bias !== undefined);
  const most = rowsOf(x, cols, context.maxTokens);
  const kernel = most > FEW_ROWS ? linearTiled : linear;
  const candidates = inFormat(kernel, format)
    .filter((variant) => fits(variant) && (most > FEW_ROWS || variant.rows === (most === 1 ? 1 : 4)))
    .sort((a, b) => preference(b, context) - preference(a, context));
  return context.choose(kernel, candidates, `${part.rows}x${cols} ${format}`, (variant) =>
    dispatch(kernel, variant, {
      buffers: { x, w: part.ref, y, ...(bias ? { bias } : {}) },
      params: (step) => {
        const { first, count } = pieceOf(step);
        return {
          rows: rowsOf(x, cols, step.tokens),
          cols,
          outs: count,
          scales: part.scales,
          multiplier,
          first,
          y_first: part.firstRow + first,
          y_cols: outs,
        };
      },
      size,
    }),
  );
}

/** Outputs per piece are a multiple of this: whole tiles of every variant. */
const PIECE_OUTS = 128;

/** Maximum number of rows that read the weights separately; more rows share tiles. */
const FEW_ROWS = 8;

/**
 * Order of candidates without a measurement: teams of lanes, with subgroups if available. On software adapters: independent
 * lanes with as many outputs as possible.
 */
function preference({ lanes, outs, subgroups }: LinearVariant, context: LowerContext): number {
  if (context.adapterClass === 'software') return (lanes === 1 ? 100 : 0) + outs;
  return (lanes > 1 ? 2 : 0) + Number(subgroups === context.subgroups);
}
