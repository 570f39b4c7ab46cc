/** Ops as data: what one reads and writes, how it runs by the reference, and how it becomes dispatches. */
import type { Dispatch, LowerContext, Node, RunContext } from './node.ts';
import type { Tensor, Weight } from './tensor.ts';

/** An op works on `Io`: its tensors and weights, and beside them the plain numbers and names that describe it. */
export interface OpDefinition<Io extends object> {
  readonly name: string;
  /** What must be there before it runs. */
  readonly reads: (io: Io) => readonly (Tensor | Weight | undefined)[];
  /** What it sets, wholly or in part; tensors that it changes in place are read, too. */
  readonly writes: (io: Io) => readonly Tensor[];
  /** The specification: the op by the kernels' references. */
  readonly run: (context: RunContext, io: Io) => void;
  readonly lower: (context: LowerContext, io: Io) => readonly Dispatch[];
}

/** Makes a node of the op, under a label that is unique in its graph. */
export type MakeNode<Io extends object> = (label: string, io: Io) => Node;

/**
 * @example
 * export const takeRowNode = defineOp<TakeRowIo>({
 *   name: 'take-row',
 *   reads: ({ x }) => [x],
 *   writes: ({ y }) => [y],
 *   ...
 */
export function defineOp<Io extends object>(op: OpDefinition<Io>): MakeNode<Io> {
  return (label, io) => ({
    op: op.name,
    label,
    io,
    reads: op.reads(io).filter((each) => each !== undefined),
    writes: op.writes(io),
    lower: (context) => op.lower(context, io),
    run: (context) => op.run(context, io),
  });
}
