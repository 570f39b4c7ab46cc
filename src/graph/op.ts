/** Ops as data: what one reads and writes, how it becomes dispatches, and how it runs on the CPU. */
import type { Dispatch, LowerContext, Node, RunContext } from './node.ts';
import type { Tensor, Weight } from './tensor.ts';

/** An op works on `Io`: its tensors and weights, and beside them the plain numbers and names that describe it. */
export interface OpDefinition<Io extends object> {
  readonly name: string;
  /** What must be there before it runs. */
  readonly reads: (io: Io) => readonly (Tensor | Weight | undefined)[];
  /** What it sets, wholly or in part; tensors that it changes in place are read, too. */
  readonly writes: (io: Io) => readonly Tensor[];
  /** The specification: the op on the CPU. */
  readonly run: (context: RunContext, io: Io) => void;
  readonly lower: (context: LowerContext, io: Io) => readonly Dispatch[];
}

/** Makes a node of the op, under a label that is unique in its graph. */
export type MakeNode<Io extends object> = (label: string, io: Io) => Node;

/**
 * An op from outside the package.
 *
 * @example
 * export const takeRowNode = defineOp<TakeRowIo>({
 *   name: 'take-row',
 *   reads: ({ x }) => [x],
 *   writes: ({ y }) => [y],
 *   ...
 */
export function defineOp<Io extends object>(op: OpDefinition<Io>): MakeNode<Io> {
  const make = defineCoreOp(op);
  return (label, io) => ({ ...make(label, io), run: (context) => op.run(context, io) });
}

/** An op of the package. How it runs on the CPU is a row of `references.ts`, which pages with a GPU do not load. */
export function defineCoreOp<Io extends object>(op: Omit<OpDefinition<Io>, 'run'>): MakeNode<Io> {
  return (label, io) => ({
    op: op.name,
    label,
    io,
    reads: op.reads(io).filter((each) => each !== undefined),
    writes: op.writes(io),
    lower: (context) => op.lower(context, io),
  });
}
