/** Matrices of a checkpoint: rows of its tensors, looked at in the headers, and read in a weight format. */
import { AtomoeError } from '../errors.ts';
import { giveMemory, takeMemory } from '../io/spare-memory.ts';
import { BLOCK_DTYPES, isBlockDtype, isWeightDtype, type WeightDtype } from '../weights/dtypes.ts';
import type { FormatName } from '../weights/formats/index.ts';
import { encodeMatrix, formatStoredAs, matrixLayout } from '../weights/matrix.ts';
import type { TensorRows } from '../weights/tensor-rows.ts';
import { noTensor, type Checkpoint } from './checkpoint.ts';

/**
 * Rows and stored type of a matrix, from the header alone.
 *
 * @param cols - of its rows; a vector of this many elements is one row, and of `cols` 1 each element is a row
 * @throws {AtomoeError} bad-file - the tensor is missing, or has another shape; unsupported-model - its stored type
 */
export function describeMatrix(
  checkpoint: Checkpoint,
  part: TensorRows,
  cols: number,
): { dtype: WeightDtype; rows: number } {
  const info = checkpoint.tensor(part.tensor);
  if (!info) throw absent(checkpoint, part.tensor);
  const { dtype, shape } = info;
  if (!isWeightDtype(dtype)) {
    throw new AtomoeError(
      'unsupported-model',
      `${info.file}: tensor "${part.tensor}" is ${dtype}; wanted F16, BF16 or F32; choose a 16-bit version of the model`,
    );
  }
  if (part.shape && shape.join() !== part.shape.join()) {
    throw wrongShape(checkpoint, part, `[${part.shape.join(', ')}]`);
  }
  const elements = shape.reduce((product, size) => product * size, 1);
  const width = shape.length <= 1 ? cols : (shape[shape.length - 1] ?? 0);
  const allRows = elements / Math.max(1, width);
  const rows = part.rowCount ?? allRows - (part.rowStart ?? 0);
  if (width !== cols || !Number.isInteger(allRows) || (part.rowStart ?? 0) + rows > allRows || rows <= 0) {
    throw wrongShape(checkpoint, part, `rows of ${cols}`);
  }
  if (isBlockDtype(dtype) && cols % BLOCK_DTYPES[dtype].block !== 0) {
    throw new AtomoeError(
      'unsupported-model',
      `${info.file}: tensor "${part.tensor}" is ${dtype}, whose blocks are not read as rows of ${cols}; wanted F16, BF16 or F32; ` +
        'choose another quantisation of the model',
    );
  }
  return { dtype, rows };
}

/** What quantising tools write beside or instead of a `.weight`. */
const COMPANIONS = ['.qweight', '.weight_packed', '.weight_scale', '.weight_scale_inv', '.SCB', '.scales'];

/** The companions of a weight's name, as files of quantised models have them. */
function quantizedNames(weight: string): string[] {
  const stem = weight.replace(/\.weight$/, '');
  return [...COMPANIONS.map((suffix) => stem + suffix), `${stem}_blocks`];
}

/** Why a tensor is not there: quantising tools put others in its place. */
function absent(checkpoint: Checkpoint, name: string): AtomoeError {
  const { label, lost } = checkpoint;
  const companion = quantizedNames(name).find((other) => checkpoint.tensor(other));
  if (companion === undefined) return noTensor(label, name, lost.get(name), [...checkpoint.names()].length);
  return new AtomoeError(
    'unsupported-model',
    `${label}: the weights are quantised, "${companion}" is there instead of "${name}"; wanted F32, F16 or BF16, or a ` +
      `quantization_config that says how they are read; choose the model's 16-bit version, or correct config.json`,
  );
}

/** The error for a tensor whose shape is not what the config says; `wanted` names that. */
export function wrongShape(checkpoint: Checkpoint, part: TensorRows, wanted: string): AtomoeError {
  const info = checkpoint.tensor(part.tensor);
  return new AtomoeError(
    'bad-file',
    `${info?.file ?? checkpoint.label}: tensor "${part.tensor}" has shape [${info?.shape.join(', ') ?? ''}]; ` +
      `wanted ${wanted}; config.json and weights do not belong together`,
  );
}

/** How a matrix is read. */
export interface MatrixReadOptions {
  readonly cols: number;
  readonly format: FormatName;
  readonly signal: AbortSignal | undefined;
  /** Zeroed memory for the result, which is used where bytes are rearranged. */
  readonly into?: Uint8Array<ArrayBuffer>;
}

/**
 * Reads a matrix, and encodes it where the file stores another type.
 *
 * @returns the planes of `format`, as `matrixLayout` places them; the bytes of the file where nothing changes
 * @throws {AtomoeError} as `describeMatrix`; non-finite - a NaN or an infinity; network, integrity and the like
 */
export async function readMatrix(
  checkpoint: Checkpoint,
  part: TensorRows,
  options: MatrixReadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  return encodeStored(await readStored(checkpoint, part, options), options);
}

/** Encodes a matrix that was read, in memory that is reused; that of its bytes is given back where they are not the result. */
export function encodeStored(
  { dtype, rows, bytes }: StoredMatrix,
  { cols, format, into }: Omit<MatrixReadOptions, 'signal'>,
): Uint8Array<ArrayBuffer> {
  const isRepacked = isBlockDtype(dtype) && formatStoredAs(dtype) === format;
  const zeroed = () => takeMemory(matrixLayout(format, rows, cols).sizeBytes).fill(0);
  const encoded = encodeMatrix(dtype, bytes, format, rows, cols, into ?? (isRepacked ? zeroed() : undefined));
  if (encoded.buffer !== bytes.buffer) giveMemory(bytes);
  return encoded;
}

/** A matrix as the file stores it. */
export interface StoredMatrix {
  readonly dtype: WeightDtype;
  readonly rows: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Reads a matrix as the file stores it.
 *
 * @throws {AtomoeError} as `readMatrix`
 */
export async function readStored(
  checkpoint: Checkpoint,
  part: TensorRows,
  { cols, signal }: { cols: number; signal: AbortSignal | undefined },
): Promise<StoredMatrix> {
  const { dtype, rows } = describeMatrix(checkpoint, part, cols);
  // To a reader a vector's elements are its rows; as one row of a matrix it is read whole.
  const isOneRow = cols !== 1 && (checkpoint.tensor(part.tensor)?.shape.length ?? 0) <= 1;
  const { bytes } = await checkpoint.read(part.tensor, {
    signal,
    ...(isOneRow ? {} : { rowStart: part.rowStart ?? 0, rowCount: rows }),
  });
  return { dtype, rows, bytes };
}
