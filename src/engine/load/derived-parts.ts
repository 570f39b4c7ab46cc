/** Reads the tensors that weights are derived from. */
import type { Checkpoint } from '../../containers/checkpoint.ts';
import { readMatrix } from '../../containers/matrices.ts';
import type { DerivedPart } from '../../graph/tensor.ts';
import { readAhead } from '../../io/read-ahead.ts';
import { toF32 } from '../../weights/dtypes.ts';
import { EXACT } from '../../weights/matrix.ts';

/** Of the rows that are read at once for sums: 4 MiB as f32. */
const MOST_ELEMENTS = 2 ** 20;

interface DerivedContext {
  readonly checkpoint: Checkpoint;
  readonly signal: AbortSignal | undefined;
}

/**
 * The values [rows, cols] of a part as f32, or the sums [cols] of the squares of its columns.
 *
 * @throws {AtomoeError} as `readMatrix`
 */
export function readDerivedPart(part: DerivedPart, context: DerivedContext): Promise<Float32Array> {
  return part.isSummed ? sumSquares(part, context) : readRows(part, { start: 0, count: part.rows }, context);
}

async function readRows(
  { tensor, cols }: DerivedPart,
  { start, count }: { readonly start: number; readonly count: number },
  { checkpoint, signal }: DerivedContext,
): Promise<Float32Array> {
  const rows = { tensor, rowStart: start, rowCount: count };
  return toF32('F32', await readMatrix(checkpoint, rows, { cols, format: EXACT, signal }));
}

/** Sums in f64, in the order of rows; few rows are in memory at once. */
async function sumSquares(part: DerivedPart, { checkpoint, signal }: DerivedContext): Promise<Float32Array> {
  const { rows, cols } = part;
  const sums = new Float64Array(cols);
  const read = ({ start, count }: RowsJob, either: AbortSignal) =>
    readRows(part, { start, count }, { checkpoint, signal: either });
  for await (const [, values] of readAhead(rowJobs(rows, cols), read, signal)) addSquares(values, sums);
  return Float32Array.from(sums);
}

interface RowsJob {
  readonly start: number;
  readonly count: number;
  readonly sizeBytes: number; // as f32
}

function* rowJobs(rows: number, cols: number): Generator<RowsJob, void, undefined> {
  const most = Math.max(1, Math.floor(MOST_ELEMENTS / cols));
  for (let start = 0; start < rows; start += most) {
    const count = Math.min(most, rows - start);
    yield { start, count, sizeBytes: 4 * count * cols };
  }
}

function addSquares(values: Float32Array, sums: Float64Array): void {
  for (let at = 0; at < values.length; at += sums.length) {
    for (let col = 0; col < sums.length; col += 1) {
      const value = values[at + col] ?? 0;
      sums[col] = (sums[col] ?? 0) + value * value;
    }
  }
}
