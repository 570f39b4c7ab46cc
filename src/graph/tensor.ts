import { invariant } from '../errors.ts';
import type { Buffer } from '../gpu/buffer.ts';
import type { TensorRows } from '../weights/tensor-rows.ts';

/** What activations are stored as: defined by the kernels, passed on to the engine. */
export type { Scalar } from '../kernels/common.ts';

/** `scalar` is f32 or f16, as the engine was opened; the rest is what it says. All are 4 or 2 bytes an element. */
export type TensorType = 'scalar' | 'f32' | 'u32';

/**
 * - `input`: written by the engine before a step
 * - `activation`: lives within a step; shares buffers with others by liveness
 * - `output`: keeps its value until the next step
 * - `indirect`: like `activation`, and read as indirect dispatch arguments
 * - `state`: belongs to a session and lives from step to step
 */
export type TensorRole = 'input' | 'activation' | 'output' | 'indirect' | 'state';

/**
 * How a state goes back to an earlier position:
 *
 * - `positions`: what it holds of a position is written by the step of that position and depends on no later one, so it
 *   is cut back by length, and a step that runs again writes the same again
 * - `parity`: a summary of all tokens so far. A step reads the old one and writes the new one beside it; when the whole
 *   step is done they change places. A step that runs again changes nothing; going back means to begin anew
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
  /** Of a state that is kept by parity: what a step writes all of, and reads as the old one in the next step. */
  readonly next?: Tensor;
}

/** Type, role and size of a tensor to be made. */
export interface TensorShape extends Partial<Pick<Tensor, 'type' | 'role' | 'perToken' | 'fixed'>> {
  readonly rewind?: StateRewind; // of a state; default 'positions'
}

/** Makes a tensor; a state kept by parity comes with the tensor of its next value. */
export function makeTensor(name: string, shape: TensorShape): Tensor {
  const { type = 'scalar', role = 'activation', perToken = 0, fixed = 0 } = shape;
  const tensor = { kind: 'tensor', name, type, role, perToken, fixed } as const;
  if (shape.rewind !== 'parity') return tensor;
  return { ...tensor, next: { ...tensor, name: `${name} next` } };
}

/** What a step writes of a state that is kept by parity. */
export function nextOf({ name, next }: Tensor): Tensor {
  invariant(next, () => `${name} is no state that is kept by parity`);
  return next;
}

/** Elements of a tensor in a step of this many tokens. */
export function elementCount({ perToken, fixed }: Tensor, tokens: number): number {
  return perToken * tokens + fixed;
}

/** A matrix of a checkpoint that a derived weight is made of; of a vector, each element is a row. */
export interface DerivedPart {
  readonly tensor: string;
  readonly rows: number;
  readonly cols: number;
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
 * A dense weight [rows, cols]. `exact` weights (norms, routers, statistics, biases) are f32 whatever the file holds, and
 * are in one binding; the others keep the file's 16 or 32 bits, or are quantised, and are in several where one is not
 * large enough.
 */
export interface Weight {
  readonly kind: 'weight';
  readonly name: string;
  readonly rows: number;
  readonly cols: number;
  readonly exact: boolean;
  readonly source: WeightSource;
}

/** Some rows of a matrix that is in several bindings: the part with that number (`LowerContext.parts`). */
export interface WeightPartRef {
  readonly kind: 'part';
  readonly weight: Weight;
  readonly part: number;
}

/** What a dispatch binds: a tensor of the graph, a weight or part of one, or a buffer that somebody else owns. */
export type Ref = Tensor | Weight | WeightPartRef | { readonly kind: 'buffer'; readonly buffer: Buffer };
