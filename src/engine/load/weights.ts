/** Reads a graph's dense weights out of a checkpoint, in the formats in which they are kept. */
import type { Checkpoint } from '../../containers/checkpoint.ts';
import { describeMatrix, readMatrix, readStored, wrongShape } from '../../containers/matrices.ts';
import type { WeightDtype } from '../../weights/dtypes.ts';
import type { FormatName } from '../../weights/formats/index.ts';
import {
  chooseFormat,
  encodeMatrix,
  EXACT,
  formatStoredAs,
  isStackable,
  matrixLayout,
} from '../../weights/matrix.ts';
import type { TensorRows } from '../../weights/tensor-rows.ts';
import type { Weight } from '../../graph/tensor.ts';
import type { WeightPart } from '../../graph/weight-parts.ts';
import type { QuantizeFormat } from '../api.ts';

/** Where weights are read from, and how they are re-encoded. */
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
      const found = describeMatrix(checkpoint, { tensor: part.tensor }, part.cols);
      if (found.rows !== part.rows) throw wrongShape(checkpoint, part, `[${part.rows}, ${part.cols}]`);
    }
    return EXACT;
  }
  let found = 0;
  const dtypes = new Set<WeightDtype>();
  for (const part of source.parts) {
    const described = describeMatrix(checkpoint, part, cols);
    found += described.rows;
    dtypes.add(described.dtype);
  }
  const [first = { tensor: weight.name }] = source.parts;
  if (found !== rows) throw wrongShape(checkpoint, first, `${rows} rows of ${cols} in all`);
  const [dtype = 'F32'] = dtypes;
  return weight.exact ? EXACT : chooseFormat(dtypes.size === 1 ? dtype : 'F32', cols, quantize);
}

/** Reads a dense weight in the format that `formatOf` gives. */
export async function readWeight(weight: Weight, context: ReadContext): Promise<EncodedMatrix> {
  const { source, rows, cols } = weight;
  const { checkpoint, signal } = context;
  if (source.kind === 'computed') {
    const values = source.values();
    return { format: EXACT, bytes: new Uint8Array(values.buffer), scalesOffsetBytes: 0 };
  }
  if (source.kind === 'derived') {
    const parts: Record<string, Float32Array> = {};
    for (const [name, { tensor, cols: width }] of Object.entries(source.parts)) {
      const how = { cols: width, format: EXACT, signal };
      parts[name] = new Float32Array((await readMatrix(checkpoint, { tensor }, how)).buffer);
    }
    const values = source.values(parts);
    return { format: EXACT, bytes: new Uint8Array(values.buffer), scalesOffsetBytes: 0 };
  }
  return readParts({ parts: source.parts, rows, cols, format: formatOf(weight, context) }, context);
}

/** Parts of tensors that become one matrix. */
interface Stack {
  readonly parts: readonly TensorRows[];
  readonly rows: number;
  readonly cols: number;
  readonly format: FormatName;
}

/** Parts that the file has in blocks of this very format: blocks of rows follow one another, and are rearranged together. */
async function readBlocks(
  { parts, rows, cols, format }: Stack,
  { checkpoint, signal }: Pick<ReadContext, 'checkpoint' | 'signal'>,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const dtypes = new Set(parts.map((part) => describeMatrix(checkpoint, part, cols).dtype));
  const [dtype] = dtypes;
  if (dtypes.size !== 1 || !dtype || formatStoredAs(dtype) !== format) return undefined;
  const read = await Promise.all(parts.map((part) => readStored(checkpoint, part, { cols, signal })));
  return encodeMatrix(dtype, joined(read.map(({ bytes }) => bytes)), format, rows, cols);
}

function joined(pieces: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}

/** Parts of tensors, stacked. */
async function readParts(stack: Stack, { checkpoint, signal }: ReadContext): Promise<EncodedMatrix> {
  const { parts, rows, cols, format } = stack;
  const { sizeBytes, scalesOffsetBytes } = matrixLayout(format, rows, cols);
  if (parts.length === 1 && parts[0]) {
    const bytes = await readMatrix(checkpoint, parts[0], { cols, format, signal });
    return { format, bytes, scalesOffsetBytes };
  }
  // Stacked parts: quants follow quants and scales follow scales only if the whole is encoded at once.
  const isWhole = !isStackable(format);
  const stored = isWhole ? await readBlocks(stack, { checkpoint, signal }) : undefined;
  if (stored) return { format, bytes: stored, scalesOffsetBytes };
  const partFormat = isWhole ? EXACT : format;
  const stacked = new Uint8Array(isWhole ? 4 * rows * cols : sizeBytes);
  let at = 0;
  for (const part of parts) {
    const bytes = await readMatrix(checkpoint, part, { cols, format: partFormat, signal });
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
    const { rows: count } = describeMatrix(context.checkpoint, part, cols);
    const from = Math.max(at, firstRow);
    const to = Math.min(at + count, firstRow + rows);
    if (from < to) {
      parts.push({ tensor: part.tensor, rowStart: (part.rowStart ?? 0) + from - at, rowCount: to - from });
    }
    at += count;
  }
  return readParts({ parts, rows, cols, format: formatOf(weight, context) }, context);
}
