/** Scales of matrices: one for each block of rows and columns, for each row, or for all. */
import { isFloatDtype, toF32, type FloatDtype } from '../../weights/dtypes.ts';
import type { HeldTensor, ReadPart, RowRange } from '../tensor-files.ts';
import { misshapen, type Parts } from './parts.ts';

const FLOATS: readonly FloatDtype[] = ['F32', 'F16', 'BF16'];

/** A scale of each `groupRows` x `groupCols` weights, [grid rows, gridCols]. */
export interface ScaleGrid {
  readonly held: HeldTensor;
  readonly groupRows: number;
  readonly groupCols: number;
  readonly gridCols: number;
}

/** The scales of rows as f32: of row `row` and column `col` of those, `values[at(row) + floor(col / groupCols)]`. */
export interface RowScales {
  readonly values: Float32Array;
  readonly at: (row: number) => number;
}

/** What scales have to be. */
interface WantedScales {
  readonly block: readonly [rows: number, cols: number] | undefined; // that share one; undefined: a row, or all
  readonly dtypes?: readonly FloatDtype[]; // default: any float
}

/**
 * Takes the scales of a [rows, cols] matrix.
 *
 * @throws {AtomoeError} bad-file - they are missing or have another shape; unsupported-model - another type
 */
export function takeScales(
  parts: Parts,
  name: string,
  { rows, cols }: { readonly rows: number; readonly cols: number },
  { block, dtypes = FLOATS }: WantedScales,
): ScaleGrid {
  const shape = parts.find(name)?.info.shape ?? [];
  const held = parts.take(name, { dtypes, shape: shape.map(() => -1) });
  const fits = (...sizes: number[]) =>
    shape.length === sizes.length && sizes.every((size, i) => size === shape[i]);
  if (block) {
    const [groupRows, groupCols] = block;
    const [gridRows, gridCols] = [Math.ceil(rows / groupRows), Math.ceil(cols / groupCols)];
    if (!fits(gridRows, gridCols)) throw misshapen(held, `[${gridRows}, ${gridCols}]`);
    return { held, groupRows, groupCols, gridCols };
  }
  const isByRow = fits(rows, 1) || fits(rows);
  if (!isByRow && !fits() && !fits(1) && !fits(1, 1)) throw misshapen(held, `[${rows}, 1] or [1]`);
  return { held, groupRows: isByRow ? 1 : rows, groupCols: cols, gridCols: 1 };
}

/** Reads the scales of some rows. */
export async function readScales(
  { held, groupRows, gridCols }: ScaleGrid,
  { start, count }: RowRange,
  read: ReadPart,
): Promise<RowScales> {
  const first = Math.floor(start / groupRows);
  const last = Math.floor((start + Math.max(1, count) - 1) / groupRows);
  const bytes = await read(held, { start: first, count: last - first + 1 });
  const { dtype } = held.info;
  const values = isFloatDtype(dtype) ? toF32(dtype, bytes) : new Float32Array();
  return { values, at: (row) => (Math.floor((start + row) / groupRows) - first) * gridCols };
}
