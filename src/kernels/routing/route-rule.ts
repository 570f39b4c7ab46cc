/**
 * A routing rule as the kernel `route` runs it: the stages of a layer description that act within one token, as plain data.
 * Tensors with one number for each score are rows of the rule's vectors [rows, scored], named by their number.
 */

/** A step of the transform, in the order of the list. Masked entries stay masked; their affinity is 0. */
export type RouteStep =
  | { readonly kind: 'softmax'; readonly within?: number } // each of this many consecutive equal groups alone
  | { readonly kind: 'logSoftmax' | 'sigmoid' | 'relu' | 'tanh' | 'abs' | 'exp' | 'sqrtSoftplus' }
  | { readonly kind: 'scale'; readonly by: number | VectorOf }
  | { readonly kind: 'add'; readonly by: VectorOf }
  | { readonly kind: 'mask'; readonly by: VectorOf | 'token' } // 0 masks; `token`: an input [tokens, experts]
  | { readonly kind: 'standardise'; readonly deviation: Deviation }
  | SteerStep;

/** Hooks that raise some entries, by what holds before the step. */
export type SteerStep =
  /** Adds the vector's numbers times the deviation of the row. */
  | {
      readonly kind: 'steer';
      readonly mode: 'soft';
      readonly by: VectorOf;
      readonly deviation: Deviation;
    }
  /** Entries where the vector is not 0 become the largest one plus epsilon. */
  | { readonly kind: 'steer'; readonly mode: 'hard'; readonly by: VectorOf; readonly epsilon: number };

/** A row of the rule's vectors. */
export interface VectorOf {
  readonly vector: number;
}

/** A standard deviation divides by the number of entries, or for a sample by one less. */
export type Deviation = 'sample' | 'population';

/** The kinds of steps that give affinities: what they read first are the logits. */
const ACTIVATIONS: ReadonlySet<RouteStep['kind']> = new Set([
  ...(['softmax', 'logSoftmax', 'sigmoid', 'relu', 'tanh', 'abs', 'exp', 'sqrtSoftplus'] as const),
]);

/** The number of steps before the logits: those before the first activation, or all. */
export function stepsBeforeLogits(steps: readonly RouteStep[]): number {
  const first = steps.findIndex(({ kind }) => ACTIVATIONS.has(kind));
  return first < 0 ? steps.length : first;
}

/** How many experts are kept when the entropy of the affinities is above a threshold: all of them. */
export interface EntropyRule {
  readonly entropy: 'tsallis' | 'renyi' | 'shannon';
  readonly index: number; // q, not 1; unused by `shannon`
  readonly threshold: number;
}

/** Which entries are chosen, and in which order. Masked entries never are. */
export type RouteChoice =
  /** `least`: k of a token is min(k, least + floor(r (k - least + 1))), r its importance, an input [tokens] in [0, 1]. */
  | { readonly kind: 'topK'; readonly k: number; readonly least?: number }
  | {
      readonly kind: 'topP';
      readonly p: number;
      readonly rule: 'crossing' | 'within';
      readonly atLeast: number;
      readonly atMost: number;
      readonly keepAllAbove?: EntropyRule;
    }
  | { readonly kind: 'positive' | 'all' }
  | { readonly kind: 'topOfEach'; readonly groups: number }
  | { readonly kind: 'ranks'; readonly count: number; readonly ranks: VectorOf } // at most MAX_RANKS, the first of the vector
  | { readonly kind: 'given'; readonly places: number }; // ids are an input [tokens, places]

/** Selection: what is compared, which groups take part, and the choice. */
export interface RouteSelect {
  readonly choice: RouteChoice;
  readonly by?: 'affinity' | 'logits'; // default affinity
  readonly bias?: VectorOf; // for selection only
  readonly groups?: {
    readonly count: number;
    readonly keep: number;
    readonly by: 'max' | 'sumOfTopTwo' | 'score'; // score: an input [tokens, groups]
  };
  readonly drop?: readonly RouteDrop[];
}

/** Removes chosen entries. */
export type RouteDrop =
  /** Entries with scale * a below the threshold: the first, or by the token's kind, an input [tokens]. */
  | {
      readonly kind: 'belowThreshold';
      readonly scale: number;
      readonly thresholds: VectorOf;
      readonly by?: 'kind';
    }
  /** Entries after the first with a below ratio * a of the first; `protection`: an input [tokens], 1 keeps all, 2 none. */
  | { readonly kind: 'belowRatio'; readonly ratio: number; readonly by?: 'protection' }
  /** Given entries whose verdict, an input [tokens, places], is not positive, except the first `atLeast`. */
  | { readonly kind: 'verdict'; readonly atLeast: number };

/** The weights of the entries that are left. */
export interface RouteWeigh {
  /**
   * The raw weights. `expert`: an input [tokens, experts]; `place`: an input [tokens, most], by the place among the chosen.
   * Default: affinity.
   */
  readonly from?: 'affinity' | 'logits' | 'exp' | 'one' | 'expert' | 'place';
  readonly normalise?: 'none' | 'sum' | 'softmax'; // default none
  readonly over?: 'kept' | 'chosen'; // default kept; chosen: before null experts and drops took entries away
  readonly epsilon?: number;
  readonly times?: 'largestAffinity';
  readonly expertScale?: VectorOf;
  readonly scale?: number;
  readonly add?: number;
}

/** A rule: transform, selection and weights. */
export interface RouteRule {
  readonly steps: readonly RouteStep[];
  readonly select: RouteSelect;
  readonly weigh: RouteWeigh;
  readonly nullExperts?: number; // scores from `experts` on, whose entries are removed
  readonly logits?: 'given'; // an input [tokens, scored], if an earlier kernel has run the activation
  readonly layerVectors?: number; // rows of the layer, before those of the request; default: all rows
}

/** Values that a rule writes besides its routes: per score, or `largest` affinity per token. Masked affinities are 0. */
export type RouteOutput = 'affinities' | 'logits' | 'values' | 'largest';

/** Most ranks of a rule by ranks. */
export const MAX_RANKS = 64;

/** Most groups of a rule. */
export const MAX_GROUPS = 128;
