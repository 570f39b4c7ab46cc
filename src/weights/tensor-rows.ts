/** Locations of matrices in the tensors of a checkpoint, as plain data. */

/** Rows `[rowStart, rowStart + rowCount)` of a named tensor of a checkpoint, viewed as [rows, cols] (cols is the last dimension). */
export interface TensorRows {
  readonly tensor: string;
  readonly rowStart?: number; // default 0
  readonly rowCount?: number; // default: all remaining rows
  /** Shape of the whole tensor. A file with another shape is rejected, even if it has the rows. */
  readonly shape?: readonly number[];
}

/**
 * A matrix of every expert: one tensor per expert if the name has `{expert}`, else one whose first dimension is the experts.
 * `start` and `count` select rows of each expert if a tensor contains several matrices.
 */
export interface ExpertRows {
  readonly tensor: string;
  readonly shape: readonly number[]; // of the whole tensor
  readonly start?: number; // default 0
  readonly count?: number; // default: all remaining rows
  /**
   * The columns `start`, `start + step`, ... of each expert's rows, as many as its matrix has; default: all. Only without
   * `start` and `count`.
   */
  readonly columns?: { readonly start: number; readonly step: number };
  /** Whether the tensor has the transpose of the matrix. Only without `start` and `count`. */
  readonly transposed?: boolean;
}

/** A matrix of every expert of a layer: its location, and its shape per expert. */
export interface ExpertPart {
  readonly rows: ExpertRows;
  readonly shape: readonly [rows: number, cols: number];
  readonly exact?: boolean; // stored as f32, like other biases; default: as the file, or quantised
}
