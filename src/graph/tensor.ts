import { invariant } from '../errors.ts';
import type { Buffer } from '../gpu/buffer.ts';
import type { TensorRows } from '../weights/tensor-rows.ts';

/** The storage type of activations, re-exported from the kernels. */
export type { Scalar } from '../kernels/common.ts';

/** The type of elements. `scalar` is f32 or f16, the engine's type of activations. */
export type TensorType = 'scalar' | 'f32' | 'u32';

/**
 * - `input`: written by the engine before a step
 * - `activation`: valid within a step; shares buffers with others by liveness
 * - `output`: valid until the next step
 * - `indirect`: like `activation`, and read as indirect dispatch arguments
 * - `state`: belongs to a session and is kept from step to step
 */
export type TensorRole = 'input' | 'activation' | 'output' | 'indirect' | 'state';

/**
 * How a state returns to an earlier position:
 *
 * - `positions`: the elements of a position are written by the step of that position and do not depend on later ones;
 *   the state is truncated by length, and a repeated step writes the same values
 * - `parity`: a summary of all tokens so far. A step reads the current value and writes the next one to a second buffer;
 *   after the whole step they are exchanged. A repeated step gives the same result; only position 0 can be returned to
 */
export type StateRewind = 'positions' | 'parity';

/** A named array of `perToken * tokens + fixed` elements. */
export interface Tensor {
  readonly kind: 'tensor';
  readonly name: string;
  readonly type: TensorType;
  readonly role: TensorRole;
  readonly perToken: number;
  readonly fixed: number;
  /** Of a state [positions, perPosition] in the order of positions: what is saved of it ends with the last one in use. */
  readonly perPosition?: number;
  /** The next value of a state with parity: a step writes all of it, and the next step reads it as the current value. */
  readonly next?: Tensor;
}

/** Type, role and size of a new tensor. */
export interface TensorShape extends Partial<
  Pick<Tensor, 'type' | 'role' | 'perToken' | 'fixed' | 'perPosition'>
> {
  readonly rewind?: StateRewind; // for states; default 'positions'
}

/** Creates a tensor; a state with parity includes the tensor of its next value. */
export function makeTensor(name: string, shape: TensorShape): Tensor {
  const { type = 'scalar', role = 'activation', perToken = 0, fixed = 0, perPosition } = shape;
  const sized = { type, role, perToken, fixed, ...(perPosition === undefined ? {} : { perPosition }) };
  const tensor = { kind: 'tensor', name, ...sized } as const;
  if (shape.rewind !== 'parity') return tensor;
  return { ...tensor, next: { ...tensor, name: `${name} next` } };
}

/** The next value of a state with parity. */
export function nextOf({ name, next }: Tensor): Tensor {
  invariant(next, () => `${name} is not a state with parity`);
  return next;
}

/** Number of elements of a tensor in a step of `tokens` tokens. */
export function elementCount({ perToken, fixed }: Tensor, tokens: number): number {
  return perToken * tokens + fixed;
}

/** A matrix of a checkpoint from which a weight is derived; each element of a vector is a row. */
export interface DerivedPart {
  readonly tensor: string;
  readonly rows: number;
  readonly cols: number;
  /** Whether the sums of the squares of its columns, [cols], are wanted, and not the matrix: it is then read row by row. */
  readonly isSummed?: boolean;
}

/** A weight is read from a checkpoint (parts stacked by rows), computed, or derived from tensors of a checkpoint. */
export type WeightSource =
  | { readonly kind: 'checkpoint'; readonly parts: readonly TensorRows[] }
  | { readonly kind: 'computed'; readonly values: () => Float32Array<ArrayBuffer> }
  | {
      readonly kind: 'derived';
      readonly parts: Readonly<Record<string, DerivedPart>>;
      readonly values: (parts: Readonly<Record<string, Float32Array>>) => Float32Array<ArrayBuffer>;
    };

/** Names of the tensors that a weight is read from. */
export function tensorsOf({ source }: Weight): string[] {
  if (source.kind === 'computed') return [];
  return Object.values(source.parts).map(({ tensor }) => tensor);
}

/**
 * A dense weight [rows, cols]. `exact` weights (norms, routers, statistics, biases) are always f32 and in one
 * binding; others have the file's 16 or 32 bits or are quantised, and are in several bindings if one is not large enough.
 */
export interface Weight {
  readonly kind: 'weight';
  readonly name: string;
  readonly rows: number;
  readonly cols: number;
  readonly exact: boolean;
  readonly source: WeightSource;
}

/** A part of a matrix in several bindings, by index (`LowerContext.parts`). */
export interface WeightPartRef {
  readonly kind: 'part';
  readonly weight: Weight;
  readonly part: number;
}

/** What a dispatch binds: a tensor of the graph, a weight or part of one, or a buffer with another owner. */
export type Ref = Tensor | Weight | WeightPartRef | { readonly kind: 'buffer'; readonly buffer: Buffer };
