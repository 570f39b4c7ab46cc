/** Where matrices are in the tensors of a checkpoint, as plain data. */

/** Rows `[rowStart, rowStart + rowCount)` of a named tensor of a checkpoint, seen as [rows, cols] (last dimension = cols). */
export interface TensorRows {
  readonly tensor: string;
  readonly rowStart?: number; // default 0
  readonly rowCount?: number; // default: all that are left
  /** Of the whole tensor. A file with another one is refused, even where the rows would do. */
  readonly shape?: readonly number[];
}

/**
 * A tensor of every expert: one for each where the name has `{expert}`, else one whose first dimension is the experts.
 * `start` and `count` are rows of one expert, where others have their rows in the same tensor.
 */
export interface ExpertRows {
  readonly tensor: string;
  readonly shape: readonly number[]; // of the whole tensor
  readonly start?: number; // default 0
  readonly count?: number; // default: all that are left
}

/** One matrix of every expert of a layer: where it is, and its shape in one expert. */
export interface ExpertPart {
  readonly rows: ExpertRows;
  readonly shape: readonly [rows: number, cols: number];
}
