/** What a graph is built from: each kind is one file, and one line in the table of its folder. */
import type { Tensor, TensorType } from '../graph/tensor.ts';
import type { BlockSpec, ExpertSpec, RouterSpec } from '../models/spec.ts';
import type { ExpertPart } from '../weights/tensor-rows.ts';
import type { MoeSite, Routes, Site } from './site.ts';

/** What a mixer keeps from step to step, and how it goes back to an earlier position (`StateRewind`). */
export type StateSpec = {
  readonly name: string; // unique in the mixer
  readonly type?: TensorType; // default: what activations are
} & (
  | { readonly rewind?: 'positions'; readonly perPosition: number } // elements, for each position of the context
  | { readonly rewind: 'parity'; readonly size: number } // elements in all; they begin as zeros
);

/**
 * The tensors of a mixer's states, by name: [contextTokens, perPosition], or [size] of a state that is kept by parity:
 * that is the old one, and the mixer writes all of `nextOf` it.
 */
export type States = Readonly<Record<string, Tensor>>;

/** Turns the normed stream into what is added to the stream: attention, a dense MLP, anything with a state. */
export interface Mixer<S extends BlockSpec = BlockSpec> {
  readonly kind: S['kind'];
  /** What it keeps; default: nothing. */
  state?(spec: S): readonly StateSpec[];
  /** @throws {AtomoeError} bad-file; unsupported-model - sizes that its kernels do not take; `label` is the model's */
  check?(spec: S, label: string): void;
  /** x [tokens, hidden] -> what is added to the stream, [tokens, hidden]. */
  add(site: Site, x: Tensor, spec: S, states: States): Tensor;
}

/** Decides which experts a token takes, and with what weights. */
export interface Router<S extends RouterSpec = RouterSpec> {
  readonly kind: S['score']['kind'];
  /** @throws {AtomoeError} unsupported-model - stages that it does not combine; `label` is the model's */
  check?(spec: S, label: string, experts: number): void;
  /** Experts of one token at most. */
  most(spec: S): number;
  /** The side of the square that this many experts form, where they do. */
  grid?(experts: number): number;
  /** x [tokens, hidden] -> routes, best first, in tensors that `site.routes` makes. */
  add(site: MoeSite, x: Tensor, spec: S): Routes;
}

/** What an expert computes, and how its weights are kept: one record for each unit, an expert or a page of them. */
export interface ExpertKind<S extends ExpertSpec = ExpertSpec> {
  readonly kind: S['kind'];
  /** Whether a step may run with some of its experts at a time, and leaves alone what belongs to the others. */
  readonly inWaves: boolean;
  /** How a route is left out: its id becomes none, or its weight 0. */
  readonly skipsBy: 'id' | 'weight';
  /** @throws {AtomoeError} unsupported-model - sizes that its kernels do not take; `label` is the model's */
  check?(spec: S, label: string): void;
  /** Whether a unit is a page of consecutive experts, as they are too small to be fetched one by one; default: no. */
  readonly inPages?: boolean;
  /** The matrices of an expert by name; a record has them in this order, those of a page stacked by rows. */
  parts(spec: S, hidden: number): Readonly<Record<string, ExpertPart>>;
  /** Parts that one kernel reads, and that so have one format; each of the others has its own. */
  readonly together?: readonly string[];
  /** x [tokens, hidden], routes [tokens, most] -> the weighted sum of the experts' outputs, [tokens, hidden]. */
  add(site: MoeSite, x: Tensor, routes: Routes, spec: S): Tensor;
}
