/** The parts of a router's rule: some lines of WGSL that are linked into its kernel, and their reference on the CPU. */

/** The numbers of a rule, as every stage may use them. */
export interface StageParams {
  readonly eps: number;
  readonly scale: number; // of the final weights
  readonly groups: number; // equal groups of consecutive experts; 1 without groups
  readonly keep: number; // groups whose experts may be chosen
}

interface Part<Role extends string> {
  readonly name: string; // in rules, and in the keys of kernels
  readonly role: Role;
  /** What kernels call, which depends on the role. `shaders/lib` has those of the built-in stages. */
  readonly wgsl: string;
}

/** Turns a router's logits into affinities. */
export interface ScoreStage extends Part<'score'> {
  /**
   * - `logit`: each by itself; WGSL `fn score(logit: f32) -> f32`
   * - `row`: by all logits of a token; see shaders/lib/score-softmax.wgsl
   */
  readonly over: 'logit' | 'row';
  /** @param row - logits [experts], replaced by affinities */
  readonly reference: (row: Float64Array, params: StageParams) => void;
}

/** Says which experts may be chosen: the best of them are. */
export interface SelectStage extends Part<'select'> {
  /**
   * - `expert`: by each expert's selection value; WGSL `fn may_choose(e: u32, value: f32) -> bool`
   * - `groups`: those of the groups that are worth most; WGSL `fn group_worth(start: u32, size: u32) -> f32`, over
   *   `selection_at(e: u32) -> f32` and `MASKED`, as shaders/lib/select-max.wgsl
   */
  readonly over: 'expert' | 'groups';
  /** @param row - selection values [experts]; those that may not be chosen are replaced by `MASKED` */
  readonly reference: (row: Float64Array, params: StageParams) => void;
}

/** Makes weights of the chosen experts' values; WGSL as in shaders/lib/weigh-none.wgsl. */
export interface WeighStage extends Part<'weigh'> {
  readonly from: 'affinity' | 'logits'; // which values
  /** @param row - values of the experts chosen, best first, replaced by their weights */
  readonly reference: (row: Float64Array, params: StageParams) => void;
}

/** A stage of a router. */
export type Stage = ScoreStage | SelectStage | WeighStage;

/** What a stage does: score, select or weigh. */
export type StageRole = Stage['role'];

/** The selection value of an expert that may not be chosen. */
export const MASKED = -3e38;
