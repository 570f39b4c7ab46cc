/** The functions of cells: what they read. Their WGSL is in shaders/lib/cell-NAME.wgsl, their references are in table.reference.ts. */

/** A function of a token and a column. */
export interface Cell {
  readonly inputs: 0 | 1 | 2 | 3 | 4; // f32 arrays a, b, c, d
  readonly ids?: true; // reads ids [tokens, places] u32
  readonly sequences?: true; // reads where sequences begin
  readonly activation?: true; // calls activations
  readonly past?: true; // n3 is the number of tokens before the step
}

/** Every cell. */
export const CELLS = {
  concat: { inputs: 2 },
  slice: { inputs: 1 },
  activate: { inputs: 1, activation: true },
  multiply: { inputs: 2, activation: true },
  square: { inputs: 1 },
  sum: { inputs: 2 },
  'scale-rows': { inputs: 2 },
  'add-scaled': { inputs: 3 },
  'one-minus': { inputs: 1 },
  unit: { inputs: 1 },
  norm: { inputs: 3 },
  softmax: { inputs: 1 },
  'attention-score': { inputs: 1 },
  analytic: { inputs: 1, activation: true },
  mixture: { inputs: 2 },
  'largest-of': { inputs: 1 },
  'gaussian-mixture': { inputs: 4 },
  'nearest-code': { inputs: 2 },
  length: { inputs: 1 },
  sparsity: { inputs: 2, activation: true },
  'outer-sum': { inputs: 1 },
  'two-level': { inputs: 2 },
  random: { inputs: 0, sequences: true, past: true },
  condition: { inputs: 3 },
  pool: { inputs: 1, sequences: true },
  'own-part': { inputs: 1, sequences: true },
  gru: { inputs: 3, activation: true },
  'of-token': { inputs: 2 },
  'weight-of': { inputs: 1, ids: true },
  combine: { inputs: 2, ids: true },
  'repeat-rows': { inputs: 2 },
  interpolate: { inputs: 3 },
  'toward-code': { inputs: 2 },
  film: { inputs: 4, ids: true },
  compress: { inputs: 3, ids: true },
  'take-ids': { inputs: 0, ids: true },
  'map-ids': { inputs: 1, ids: true },
  'leveled-ids': { inputs: 1, ids: true },
  'alias-ids': { inputs: 1, ids: true },
  'alias-weights': { inputs: 2, ids: true },
  rotate: { inputs: 2, sequences: true },
  attend: { inputs: 3, sequences: true },
  'head-weights': { inputs: 3, ids: true },
  'scale-heads': { inputs: 2 },
  'sparse-attend': { inputs: 3, ids: true, sequences: true },
  'slot-inputs': { inputs: 2, sequences: true },
  'slot-outputs': { inputs: 2, sequences: true },
  'window-mean': { inputs: 1, sequences: true },
  'add-window': { inputs: 2, sequences: true },
  'take-run': { inputs: 4 },
  constant: { inputs: 0 },
} as const satisfies Readonly<Record<string, Cell>>;

/** The name of a cell. */
export type CellName = keyof typeof CELLS;
