import { AtomoeError } from '../../errors.ts';
import type { GraphBuilder } from '../../graph/builder.ts';
import type { RequestedValues } from '../../graph/node.ts';
import type { Sequences } from '../../graph/ops/sequence-routing.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { CellActivation } from '../../kernels/routing/cells/activation.ts';
import type { Reference } from './stages.ts';

/** Where a described router is added, and where it reads its tensors. */
export interface RoutingSite {
  readonly builder: GraphBuilder;
  readonly label: string;
  readonly experts: number;
  readonly most: number;
  readonly scores: Tensor; // f32 [tokens, experts + nullExperts]
  /** The sequences of the tokens, if the request divides them; asked for only by rules that couple tokens. */
  readonly sequences?: () => Sequences | undefined;
  readonly groupScores?: Tensor | undefined; // f32 [tokens, groups], of a score in two levels
  /** The values [count] of a tensor of the layer, read when the layer is loaded. */
  readonly layer: (reference: Reference, count: number) => () => Float32Array;
  /** A tensor of the request: f32 or u32 [tokens, perToken], or f32 [fixed] without tokens. */
  readonly request: (name: string, shape: RequestShape) => Tensor;
  /** Links f32 [tokens, perToken] between the tokens of the request, such as attention. */
  readonly links?: (name: string) => Tensor;
  /** The row [tokens, width] of the token's id in a table of the layer, f32 or u32. Default of the width: the table's. */
  readonly ofTokenId?: (reference: Reference, type: 'f32' | 'u32', width?: number) => Tensor;
  /** Of choices u32 [tokens, k], in order, those whose experts have room for `room` tokens of all steps; undefined: of this step. */
  readonly placed?: (ids: Tensor, room: number) => Tensor | undefined;
  /** f32 [tokens, places]: whether a place of given ids stays, where a network decides. */
  readonly verdicts?: Tensor | undefined;
  /** f32 [tokens, experts]: the activation of the router's second matrix with the hidden state. */
  readonly ofHidden?: (weight: Reference, activation: CellActivation) => Tensor;
}

/** The shape of a tensor of the request. */
export interface RequestShape {
  readonly type: 'f32' | 'u32';
  readonly perToken?: number;
  readonly fixed?: number;
  readonly values?: RequestedValues; // what models check when a request gives it
}

/** Refuses a part of a router that has no op. */
export function refuse(path: string, what: string): never {
  throw new AtomoeError(
    'unsupported-model',
    `router.${path}: ${what} has no kernel yet; choose another rule`,
  );
}
