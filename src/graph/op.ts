/** Ops as data: inputs and outputs, lowering to dispatches, and execution on the CPU. */
import type { Dispatch, LowerContext, Node, RunContext } from './node.ts';
import type { Tensor, Weight } from './tensor.ts';

/** An op. `Io` contains its tensors and weights, and its attributes (numbers and names). */
export interface OpDefinition<Io extends object> {
  readonly name: string;
  /** The tensors and weights that it reads. */
  readonly reads: (io: Io) => readonly (Tensor | Weight | undefined)[];
  /** The tensors that it writes, wholly or partly; tensors updated in place are also in `reads`. */
  readonly writes: (io: Io) => readonly Tensor[];
  /** The specification: runs the op on the CPU. */
  readonly run: (context: RunContext, io: Io) => void;
  readonly lower: (context: LowerContext, io: Io) => readonly Dispatch[];
}

/** Creates a node of the op with a label that is unique in its graph. */
export type MakeNode<Io extends object> = (label: string, io: Io) => Node;

/**
 * Defines an op outside the package, with its CPU form.
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

/** Defines an op of the package. Its CPU form is a row of `references.ts`, which pages with a GPU do not load. */
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
