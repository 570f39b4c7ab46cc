/** Ops of layer descriptions: products for the pairs of tokens and experts, and small functions of their results. */
import { cellOf, cells, inputNames, type CellVariant } from '../../kernels/routing/cells.ts';
import type { CellName } from '../../kernels/routing/cells/table.ts';
import { pairLinear } from '../../kernels/routing/pair-linear.ts';
import { dispatch } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import type { Ref, Tensor, Weight } from '../tensor.ts';
import type { Sequences } from './sequence-routing.ts';

/** Inputs, outputs and numbers of a cell. */
export interface CellsIo {
  readonly cell: CellName;
  readonly inputs: readonly (Tensor | Weight)[]; // f32: a, b, c, d
  readonly ids?: Tensor | undefined; // u32 [tokens, places]
  readonly sequences?: Sequences | undefined; // default: all tokens are one sequence
  readonly y: Tensor; // f32 or u32 [tokens, cols]
  readonly n?: readonly number[]; // at most 4 whole numbers
  readonly f?: readonly number[]; // at most 2
}

/** y[t, i] = cell(t, i) */
export const cellsNode = defineCoreOp<CellsIo>({
  name: 'cells',
  reads: ({ inputs, ids, sequences }) => [...inputs, ids, sequences?.offsets],
  writes: ({ y }) => [y],
  lower(_, { cell, inputs, ids, sequences, y, n = [], f = [] }) {
    const { perToken: cols } = y;
    const division = sequences ? 'offsets' : 'one';
    const { past: readsPast, sequences: isCoupled } = cellOf(cell);
    const isDivided = isCoupled === true && sequences !== undefined;
    const numbers = inputNames(cell).map((name, index): [string, Ref | undefined] => [name, inputs[index]]);
    const buffers = Object.fromEntries(
      numbers.filter((each): each is [string, Ref] => each[1] !== undefined),
    );
    const [n0 = 0, n1 = 0, n2 = 0, n3 = 0] = n;
    const [f0 = 0, f1 = 0] = f;
    const variant: CellVariant = { cell, division, result: y.type === 'u32' ? 'u32' : 'f32' };
    return [
      dispatch(cells, variant, {
        buffers: {
          ...buffers,
          ...(ids ? { ids } : {}),
          ...(isDivided ? { offsets: sequences.offsets } : {}),
          y,
        },
        params: ({ tokens, past }) => ({
          tokens,
          cols,
          sequences: sequences?.count ?? 1,
          ...{ n0, n1, n2, n3: readsPast ? past : n3, f0, f1 },
        }),
        size: ({ tokens }) => ({ tokens, cols }),
      }),
    ];
  },
});

/** Inputs, outputs and sizes of products of pairs. */
export interface PairLinearIo {
  readonly x: Tensor; // f32 [tokens, xPlaces, cols]
  readonly weight: Weight; // f32 [experts * outs, cols], or with scales ternary codes (kernels/routing/ternary-codes.ts)
  readonly scales?: Weight | undefined; // f32 [experts]
  readonly bias?: Weight | undefined; // f32 [experts, outs]
  readonly ids?: Tensor | undefined; // u32 [tokens, places]; default: expert 0 in one place
  readonly y: Tensor; // f32 [tokens, places, outs]
  readonly experts: number;
  readonly places: number;
  readonly xPlaces: number; // 1, or the places
}

/** y[t, r, :] = weight_e x[t, r, :] + bias_e, e the expert in place r of token t; 0 where there is none */
export const pairLinearNode = defineCoreOp<PairLinearIo>({
  name: 'pair-linear',
  reads: ({ x, weight, scales, bias, ids }) => [x, weight, scales, bias, ids],
  writes: ({ y }) => [y],
  lower(_, { x, weight, scales, bias, ids, y, experts, places, xPlaces }) {
    const cols = x.perToken / xPlaces;
    const outs = y.perToken / places;
    return [
      dispatch(
        pairLinear,
        { routed: ids !== undefined, biased: bias !== undefined, ternary: scales !== undefined },
        {
          buffers: {
            ...{ x, weight, y },
            ...(scales ? { scales } : {}),
            ...(bias ? { bias } : {}),
            ...(ids ? { ids } : {}),
          },
          params: ({ tokens }) => ({ tokens, places, x_places: xPlaces, experts, outs, cols }),
          size: ({ tokens }) => ({ tokens, places, outs }),
          work: ({ tokens }) => tokens * places * outs * cols,
        },
      ),
    ];
  },
});
