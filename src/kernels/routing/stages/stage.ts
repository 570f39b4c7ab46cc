/** The stages of a routing rule: WGSL functions linked into the gate kernel, and their CPU reference. */

/** The parameters of a rule, available to every stage. */
export interface StageParams {
  readonly eps: number;
  readonly scale: number; // of the final weights
  readonly groups: number; // equal groups of consecutive experts; 1 without groups
  readonly keep: number; // groups whose experts may be chosen
}

interface Part<Role extends string> {
  readonly name: string; // in rules, and in the keys of kernels
  readonly role: Role;
  /** The functions that kernels call, which depend on the role. `shaders/lib` has those of the built-in stages. */
  readonly wgsl: string;
}

/** Maps router logits to affinities. */
export interface ScoreStage extends Part<'score'> {
  /**
   * - `logit`: each logit separately; WGSL `fn score(logit: f32) -> f32`
   * - `row`: all logits of a token; WGSL as in shaders/lib/score-softmax.wgsl
   */
  readonly over: 'logit' | 'row';
  /** @param row - logits [experts], replaced by affinities */
  readonly reference: (row: Float64Array, params: StageParams) => void;
}

/** Restricts the experts that may be chosen. */
export interface SelectStage extends Part<'select'> {
  /**
   * - `expert`: by each expert's selection value; WGSL `fn may_choose(e: u32, value: f32) -> bool`
   * - `groups`: those of the groups with the largest values; WGSL `fn group_worth(start: u32, size: u32) -> f32`, over
   *   `selection_at(e: u32) -> f32` and `MASKED`, as shaders/lib/select-max.wgsl
   */
  readonly over: 'expert' | 'groups';
  /** @param row - selection values [experts]; those that may not be chosen are replaced by `MASKED` */
  readonly reference: (row: Float64Array, params: StageParams) => void;
}

interface Weighting extends Part<'weigh'> {
  /** @param row - values of the chosen experts, best first, replaced by weights */
  readonly reference: (row: Float64Array, params: StageParams) => void;
}

/** Maps the values of the chosen experts to weights; WGSL as in shaders/lib/weigh-none.wgsl. */
export type WeighStage = Weighting &
  (
    | { readonly from: 'affinity' | 'logits' } // the source of the values
    | {
        readonly from: 'row';
        /** The value of an expert from all logits of its token; WGSL as in shaders/lib/weigh-sparsemixer.wgsl. */
        readonly valueOf: (logits: Float64Array, expert: number, params: StageParams) => number;
      }
  );

/** A stage of a router. */
export type Stage = ScoreStage | SelectStage | WeighStage;

/** The role of a stage: score, select or weigh. */
export type StageRole = Stage['role'];

/** The selection value of an expert that may not be chosen. */
export const MASKED = -3e38;
