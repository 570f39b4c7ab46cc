/** Interfaces of the blocks that graphs are built from. Each kind is one file and one row in the table of its folder. */
import type { Tensor, TensorType } from '../graph/tensor.ts';
import type { BlockSpec, ExpertSpec, RouterSpec } from '../models/spec.ts';
import type { ExpertPart } from '../weights/tensor-rows.ts';
import type { MoeSite, Routes, Site } from './site.ts';

/** A state of a mixer, kept from step to step, and how it returns to an earlier position (`StateRewind`). */
export type StateSpec = {
  readonly name: string; // unique in the mixer
  readonly type?: TensorType; // default: the type of activations
} & (
  | { readonly rewind?: 'positions'; readonly perPosition: number } // number of elements per position of the context
  | { readonly rewind: 'parity'; readonly size: number } // number of elements; initially zero
);

/**
 * The tensors of a mixer's states, by name: [contextTokens, perPosition], or [size] for a state with parity, which has the
 * current value; the mixer writes all of its `nextOf`.
 */
export type States = Readonly<Record<string, Tensor>>;

/** A sublayer without routed experts, from the normalised stream to an addition to the stream: attention, a dense MLP, ... */
export interface Mixer<S extends BlockSpec = BlockSpec> {
  readonly kind: S['kind'];
  /** Its states; default: none. */
  state?(spec: S): readonly StateSpec[];
  /** @throws {AtomoeError} bad-file; unsupported-model - its kernels do not support the sizes; `label` names the model */
  check?(spec: S, label: string): void;
  /** x [tokens, hidden] -> the addition to the stream, [tokens, hidden]. */
  add(site: Site, x: Tensor, spec: S, states: States): Tensor;
}

/** Selects the experts of each token and their weights. */
export interface Router<S extends RouterSpec = RouterSpec> {
  readonly kind: S['score']['kind'];
  /** @throws {AtomoeError} unsupported-model - a combination of stages that it does not support; `label` names the model */
  check?(spec: S, label: string, experts: number): void;
  /** Maximum number of experts per token. */
  most(spec: S): number;
  /** The side of the square grid that the experts form, if they do. */
  grid?(experts: number): number;
  /** Whether `add` applies `site.hooks`: those of requests to the logits and the choice of the layer; default: false. */
  readonly takesHooks?: boolean;
  /**
   * The experts of a token by its id, for routers that look at nothing else: a table, not a computation that another device could round
   * differently. undefined: a token's experts are not known before the layer runs.
   */
  known?(spec: S): ((token: number) => ArrayLike<number>) | undefined;
  /** The name of the request's tensor that has the experts of each token, for routers that look at nothing else. */
  knownBy?(spec: S): string | undefined;
  /**
   * The layer with experts at which everything is known that the router of layer `bank` reads, for routers of earlier layers' inputs:
   * experts are decided there, and loaded meanwhile. Default: the layer itself. Such a router takes no hooks.
   */
  decidedAt?(spec: S, bank: number): number;
  /** x [tokens, hidden] -> routes, best first, in tensors from `site.routes`. */
  add(site: MoeSite, x: Tensor, spec: S): Routes;
}

/** The computation of an expert, and its weights: one record per unit, which is an expert or a page of experts. */
export interface ExpertKind<S extends ExpertSpec = ExpertSpec> {
  readonly kind: S['kind'];
  /** Whether a step may run with subsets of its experts in turn, and leaves the results of other experts unchanged. */
  readonly inWaves: boolean;
  /** How a route is skipped: its id is set to no expert, or its weight to 0. */
  readonly skipsBy: 'id' | 'weight';
  /** @throws {AtomoeError} unsupported-model - its kernels do not support the sizes; `label` names the model */
  check?(spec: S, label: string): void;
  /** Whether a unit is a page of consecutive experts, for experts too small to be fetched singly; default: false. */
  readonly inPages?: boolean;
  /** The matrices of an expert by name, in the order of the record; those of a page are stacked by rows. */
  parts(spec: S, hidden: number): Readonly<Record<string, ExpertPart>>;
  /** Parts that one kernel reads, which therefore have a common format; other parts have their own. */
  readonly together?: readonly string[];
  /** x [tokens, hidden], routes [tokens, most] -> the weighted sum of the experts' outputs, [tokens, hidden]. */
  add(site: MoeSite, x: Tensor, routes: Routes, spec: S): Tensor;
}
