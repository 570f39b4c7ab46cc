/** Which rows of a checkpoint's tensors are those of an expert, or of several. */
import { invariant } from '../errors.ts';
import type { ExpertPart, ExpertRows, TensorRows } from '../weights/tensor-rows.ts';

const PLACEHOLDER = '{expert}';

/** The rows of `count` experts from `first` on: of a tensor of their own, or of one that all share. */
export function rowsOf(rows: ExpertRows, first: number, count: number): TensorRows {
  const { tensor, shape } = rows;
  const { isOwn, perExpert, start, wanted, isWhole } = shareOf(rows);
  invariant(count === 1 || (!isOwn && isWhole), () => `${tensor} has no rows of several experts`);
  if (!isOwn) return { tensor, shape, rowStart: first * perExpert + start, rowCount: count * wanted };
  const name = tensor.replaceAll(PLACEHOLDER, String(first));
  return isWhole ? { tensor: name, shape } : { tensor: name, shape, rowStart: start, rowCount: wanted };
}

/** The rows of all experts of a layer, in as few pieces as there are: for looking at headers. */
export function* piecesOf(
  rows: ExpertRows,
  experts: number,
): Generator<{ readonly piece: TensorRows; readonly experts: number }> {
  const { isOwn, isWhole } = shareOf(rows);
  const each = isOwn || !isWhole ? 1 : experts;
  for (let first = 0; first < experts; first += each)
    yield { piece: rowsOf(rows, first, each), experts: each };
}

/** The rows and columns of each expert in the tensor: those of its matrix, unless columns are picked or it is transposed. */
export function storedShape(
  { columns, transposed = false, shape: stored }: ExpertRows,
  [rows, cols]: ExpertPart['shape'],
): ExpertPart['shape'] {
  const [storedRows, storedCols] = transposed ? [cols, rows] : [rows, cols];
  return columns ? [storedRows, stored.at(-1) ?? 0] : [storedRows, storedCols];
}

/** A matrix of an expert from its rows in the tensor: the columns that are its, transposed if they are so stored. */
export function pickMatrix(
  values: Float32Array,
  { columns = { start: 0, step: 1 }, transposed = false }: ExpertRows,
  {
    stored: [storedRows, storedCols],
    shape,
  }: { readonly stored: ExpertPart['shape']; readonly shape: ExpertPart['shape'] },
): Float32Array<ArrayBuffer> {
  const [rows, cols] = shape;
  const [down, across] = transposed ? [1, cols] : [cols, 1];
  const picked = new Float32Array(rows * cols);
  const { start, step } = columns;
  const count = transposed ? rows : cols;
  for (let r = 0; r < storedRows; r += 1) {
    for (let c = start, i = 0; c < storedCols && i < count; c += step, i += 1) {
      picked[r * down + i * across] = values[r * storedCols + c] ?? NaN;
    }
  }
  return picked;
}

/** What one expert has of a tensor: `perExpert` rows, of which `wanted` from `start` on are this matrix. */
function shareOf({ tensor, shape, start = 0, count }: ExpertRows) {
  const isOwn = tensor.includes(PLACEHOLDER);
  const perExpert = (isOwn ? shape : shape.slice(1))
    .slice(0, -1)
    .reduce((product, size) => product * size, 1);
  const wanted = count ?? perExpert - start;
  return { isOwn, perExpert, start, wanted, isWhole: wanted === perExpert };
}
