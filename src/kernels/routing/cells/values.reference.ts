/** What a cell reads. */
export interface CellValues {
  readonly tokens: number;
  readonly past: number; // tokens before the step
  readonly cols: number; // of the output
  readonly a: ArrayLike<number>;
  readonly b: ArrayLike<number>;
  readonly c: ArrayLike<number>;
  readonly d: ArrayLike<number>;
  readonly ids: ArrayLike<number>;
  readonly starts: readonly number[]; // of the sequences, and the number of tokens
  readonly n: readonly number[];
  readonly f: readonly number[];
  /** The first token of the sequence of a token, and the first one after it. */
  readonly bounds: (token: number) => readonly [first: number, end: number];
}

/** Computes the value of column i of token t. */
export type CellReference = (values: CellValues, t: number, i: number) => number;

/** The score of an expert that is not chosen: any value below -1e37 is masked. */
export const LOWEST = -3e38;
