/** Reads matrices out of a checkpoint, in the formats in which they are kept. */
import { AtomoeError } from '../../errors.ts';
import { noTensor, type Checkpoint } from '../../containers/checkpoint.ts';
import { isWeightDtype, type WeightDtype } from '../../weights/dtypes.ts';
import type { FormatName } from '../../weights/formats/index.ts';
import { chooseFormat, encodeMatrix, EXACT, isStackable, matrixLayout } from '../../weights/matrix.ts';
import type { TensorRows, Weight } from '../../graph/tensor.ts';
import type { WeightPart } from '../../graph/weight-parts.ts';
import { quantizedNames } from '../../models/quantization.ts';
import type { QuantizeFormat } from '../api.ts';

export interface ReadContext {
  readonly checkpoint: Checkpoint;
  readonly quantize?: QuantizeFormat | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A matrix as it goes to the GPU. */
export interface EncodedMatrix {
  readonly format: FormatName;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly scalesOffsetBytes: number;
}

/** Rows and stored type of a part, from the header alone. */
export function describe(
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
  return { dtype, rows };
}

/** Why a tensor is not there: quantising tools put others in its place. */
function absent(checkpoint: Checkpoint, name: string): AtomoeError {
  const { label, lost } = checkpoint;
  const companion = quantizedNames(name).find((other) => checkpoint.tensor(other));
  if (companion === undefined) return noTensor(label, name, lost.get(name), [...checkpoint.names()].length);
  return new AtomoeError(
    'unsupported-model',
    `${label}: the weights are quantised, "${companion}" is there instead of "${name}"; Atomoe reads F32, F16 and BF16 ` +
      `weights; choose the model's 16-bit version`,
  );
}

export function wrongShape(checkpoint: Checkpoint, part: TensorRows, wanted: string): AtomoeError {
  const info = checkpoint.tensor(part.tensor);
  return new AtomoeError(
    'bad-file',
    `${info?.file ?? checkpoint.label}: tensor "${part.tensor}" has shape [${info?.shape.join(', ') ?? ''}]; ` +
      `wanted ${wanted}; config.json and weights do not belong together`,
  );
}

/**
 * The format in which a weight of the graph will be kept.
 *
 * @throws {AtomoeError} bad-file - a tensor is missing or has another shape; unsupported-model - a stored type
 */
export function formatOf(weight: Weight, { checkpoint, quantize }: ReadContext): FormatName {
  const { source, rows, cols } = weight;
  if (source.kind === 'computed') return EXACT;
  if (source.kind === 'derived') {
    for (const part of Object.values(source.parts)) {
      const found = describe(checkpoint, { tensor: part.tensor }, part.cols);
      if (found.rows !== part.rows) throw wrongShape(checkpoint, part, `[${part.rows}, ${part.cols}]`);
    }
    return EXACT;
  }
  let found = 0;
  const dtypes = new Set<WeightDtype>();
  for (const part of source.parts) {
    const described = describe(checkpoint, part, cols);
    found += described.rows;
    dtypes.add(described.dtype);
  }
  const [first = { tensor: weight.name }] = source.parts;
  if (found !== rows) throw wrongShape(checkpoint, first, `${rows} rows of ${cols} in all`);
  const [dtype = 'F32'] = dtypes;
  return weight.exact ? EXACT : chooseFormat(dtypes.size === 1 ? dtype : 'F32', cols, quantize);
}

/** Reads a dense weight in the format that `formatOf` tells. */
export async function readWeight(weight: Weight, context: ReadContext): Promise<EncodedMatrix> {
  const { source, rows, cols } = weight;
  if (source.kind === 'computed') {
    const values = source.values();
    return { format: EXACT, bytes: new Uint8Array(values.buffer), scalesOffsetBytes: 0 };
  }
  if (source.kind === 'derived') {
    const parts: Record<string, Float32Array> = {};
    for (const [name, { tensor, cols: width }] of Object.entries(source.parts))
      parts[name] = new Float32Array((await readPart({ tensor }, width, EXACT, context)).buffer);
    const values = source.values(parts);
    return { format: EXACT, bytes: new Uint8Array(values.buffer), scalesOffsetBytes: 0 };
  }
  return readParts({ parts: source.parts, rows, cols, format: formatOf(weight, context) }, context);
}

/** Parts of tensors, stacked. */
async function readParts(
  stack: {
    readonly parts: readonly TensorRows[];
    readonly rows: number;
    readonly cols: number;
    readonly format: FormatName;
  },
  context: ReadContext,
): Promise<EncodedMatrix> {
  const { parts, rows, cols, format } = stack;
  const { sizeBytes, scalesOffsetBytes } = matrixLayout(format, rows, cols);
  if (parts.length === 1 && parts[0]) {
    return { format, bytes: await readPart(parts[0], cols, format, context), scalesOffsetBytes };
  }
  // Stacked parts: quants follow quants and scales follow scales only if the whole is encoded at once.
  const isWhole = !isStackable(format);
  const partFormat = isWhole ? EXACT : format;
  const stacked = new Uint8Array(isWhole ? 4 * rows * cols : sizeBytes);
  let at = 0;
  for (const part of parts) {
    const bytes = await readPart(part, cols, partFormat, context);
    stacked.set(bytes, at);
    at += bytes.byteLength;
  }
  const bytes = isWhole ? encodeMatrix('F32', stacked, format, rows, cols) : stacked;
  return { format, bytes, scalesOffsetBytes };
}

/** Reads some rows of a dense weight: bit for bit what `readWeight` gives for them. */
export async function readWeightRows(
  weight: Weight,
  { firstRow, rows }: WeightPart,
  context: ReadContext,
): Promise<EncodedMatrix> {
  const { source, cols } = weight;
  if (rows === weight.rows || source.kind !== 'checkpoint') return readWeight(weight, context);
  const parts: TensorRows[] = [];
  let at = 0; // the weight's row with which a part begins
  for (const part of source.parts) {
    const { rows: count } = describe(context.checkpoint, part, cols);
    const from = Math.max(at, firstRow);
    const to = Math.min(at + count, firstRow + rows);
    if (from < to) {
      parts.push({ tensor: part.tensor, rowStart: (part.rowStart ?? 0) + from - at, rowCount: to - from });
    }
    at += count;
  }
  return readParts({ parts, rows, cols, format: formatOf(weight, context) }, context);
}

/** Reads one part of a tensor as a matrix. */
export async function readPart(
  part: TensorRows,
  cols: number,
  format: FormatName,
  { checkpoint, signal }: ReadContext,
): Promise<Uint8Array<ArrayBuffer>> {
  const { dtype, rows } = describe(checkpoint, part, cols);
  // To a reader a vector's elements are its rows; as one row of a matrix it is read whole.
  const isOneRow = cols !== 1 && (checkpoint.tensor(part.tensor)?.shape.length ?? 0) <= 1;
  const { bytes } = await checkpoint.read(part.tensor, {
    signal,
    ...(isOneRow ? {} : { rowStart: part.rowStart ?? 0, rowCount: rows }),
  });
  return encodeMatrix(dtype, bytes, format, rows, cols);
}
