import type { CellName } from './cells/table.ts';
import { CELL_REFERENCES } from './cells/table.reference.ts';
import type { CellValues } from './cells/values.reference.ts';

/** The inputs and numbers of a cell. */
export interface CellOptions {
  readonly tokens: number;
  readonly past?: number; // tokens before the step; default: none
  readonly cols: number;
  readonly inputs: readonly ArrayLike<number>[]; // a, b, c, d
  readonly ids?: ArrayLike<number>;
  readonly starts?: readonly number[]; // of the sequences, and the number of tokens; default: one sequence
  readonly n?: readonly number[];
  readonly f?: readonly number[];
}

const NONE: readonly number[] = [];

/** y[t, i] of a cell -> [tokens, cols], computed in f64 and rounded once. */
export function cellsReference(name: CellName, options: CellOptions): Float64Array {
  const { tokens, past = 0, cols, inputs, ids = NONE, starts = [0, tokens], n = NONE, f = NONE } = options;
  const [a = NONE, b = NONE, c = NONE, d = NONE] = inputs;
  const bounds = (token: number) => {
    const last = starts.length - 2;
    let sequence = 0;
    while (sequence < last && starts[sequence + 1]! <= token) sequence += 1;
    return [starts[sequence]!, starts[sequence + 1]!] as const;
  };
  const values: CellValues = { tokens, past, cols, a, b, c, d, ids, starts, n, f, bounds };
  const cell = CELL_REFERENCES[name];
  return Float64Array.from({ length: tokens * cols }, (_, at) =>
    cell(values, Math.floor(at / cols), at % cols),
  );
}
