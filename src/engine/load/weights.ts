/** Reads a graph's dense weights out of a checkpoint, in the formats in which they are kept. */
import type { Checkpoint } from '../../containers/checkpoint.ts';
import {
  describeMatrix,
  encodeStored,
  readMatrix,
  readStored,
  wrongShape,
} from '../../containers/matrices.ts';
import { readAhead, readTogether, type ReadJob } from '../../io/read-ahead.ts';
import { giveMemory, takeMemory } from '../../io/spare-memory.ts';
import type { FormatName } from '../../weights/formats/index.ts';
import {
  chooseFormat,
  encodeMatrix,
  EXACT,
  formatStoredAs,
  isStackable,
  matrixLayout,
  hasLooseRows,
  placesOfRows,
  type MatrixLayout,
} from '../../weights/matrix.ts';
import type { TensorRows } from '../../weights/tensor-rows.ts';
import type { Weight } from '../../graph/tensor.ts';
import { ROW_STEP, weightParts, type WeightPart } from '../../graph/weight-parts.ts';
import type { QuantizeFormat } from '../api.ts';

/** Where weights are read from, and how they are re-encoded. */
export interface ReadContext {
  readonly checkpoint: Checkpoint;
  readonly quantize?: QuantizeFormat | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rows of a dense weight that are kept together, in one format. */
export interface DensePart extends WeightPart, MatrixLayout {
  readonly format: FormatName;
}

/**
 * How a weight of the graph will be kept: matrices stacked in it that have different formats are kept in theirs, each in a
 * part of its own; parts larger than `mostBytes` are divided.
 *
 * @throws {AtomoeError} bad-file - a tensor is missing or has another shape; unsupported-model - a stored type;
 *   limit-too-small
 */
export function densePartsOf(weight: Weight, context: ReadContext, mostBytes = Infinity): DensePart[] {
  return sectionsOf(weight, context).flatMap(({ firstRow: start, rows, format }) => {
    const layout = (count: number) => matrixLayout(format, count, weight.cols);
    return weightParts({ ...weight, rows }, (count) => layout(count).sizeBytes, mostBytes).map((part) => ({
      firstRow: start + part.firstRow,
      rows: part.rows,
      format,
      ...layout(part.rows),
    }));
  });
}

/** Consecutive rows of a weight in one format. */
interface Section extends WeightPart {
  readonly format: FormatName;
}

function sectionsOf(weight: Weight, { checkpoint, quantize }: ReadContext): Section[] {
  const { source, rows, cols } = weight;
  if (source.kind === 'computed') return [{ firstRow: 0, rows, format: EXACT }];
  if (source.kind === 'derived') {
    for (const part of Object.values(source.parts)) {
      const found = describeMatrix(checkpoint, { tensor: part.tensor }, part.cols);
      if (found.rows !== part.rows) throw wrongShape(checkpoint, part, `[${part.rows}, ${part.cols}]`);
    }
    return [{ firstRow: 0, rows, format: EXACT }];
  }
  const sections: Section[] = [];
  let found = 0;
  for (const part of source.parts) {
    const described = describeMatrix(checkpoint, part, cols);
    const format = weight.exact ? EXACT : chooseFormat(described.dtype, cols, quantize);
    const last = sections.at(-1);
    if (last?.format === format)
      sections[sections.length - 1] = { ...last, rows: last.rows + described.rows };
    else sections.push({ firstRow: found, rows: described.rows, format });
    found += described.rows;
  }
  const [first = { tensor: weight.name }] = source.parts;
  if (found !== rows) throw wrongShape(checkpoint, first, `${rows} rows of ${cols} in all`);
  return sections;
}

/** A part that is being read, or some of its rows. */
export interface DensePiece extends ReadJob {
  readonly weight: Weight;
  readonly part: DensePart;
  readonly slice: WeightPart; // rows of the part
}

/** Larger parts are read by rows: what is read and what is made of it would take the memory of the part twice. */
const MOST_SLICE_BYTES = 16 * 2 ** 20;

/** The parts of all weights, in the order of the weights; `mostBytes`: of one part. */
function* piecesOf(
  weights: Iterable<Weight>,
  context: ReadContext,
  mostBytes: number,
): Generator<DensePiece, void, undefined> {
  for (const weight of weights) {
    const { name, source, cols } = weight;
    const rowBytes = storedRowBytes(weight, context);
    const isByRows =
      source.kind === 'checkpoint' &&
      source.parts.every(({ tensor }) => context.checkpoint.readsRows?.(tensor));
    for (const part of densePartsOf(weight, context, mostBytes)) {
      const sizeOf = (rows: number) =>
        Math.max(matrixLayout(part.format, rows, cols).sizeBytes, rows * rowBytes);
      const isSliced = isByRows && hasLooseRows(part.format) && sizeOf(ROW_STEP) <= MOST_SLICE_BYTES;
      const slices = weightParts({ name, rows: part.rows, exact: !isSliced }, sizeOf, MOST_SLICE_BYTES);
      for (const slice of slices) yield { weight, part, slice, sizeBytes: sizeOf(slice.rows) };
    }
  }
}

/** What of a piece's bytes belongs where in its part. */
export function placed(
  { weight, part, slice }: DensePiece,
  bytes: Uint8Array<ArrayBuffer>,
): { readonly offsetBytes: number; readonly bytes: Uint8Array<ArrayBuffer> }[] {
  if (slice.rows === part.rows) return [{ offsetBytes: 0, bytes }];
  const of = { first: slice.firstRow, count: slice.rows, rows: part.rows };
  return placesOfRows(part.format, weight.cols, of).map(({ fromBytes, toBytes, sizeBytes }) => ({
    offsetBytes: toBytes,
    bytes: bytes.subarray(fromBytes, fromBytes + sizeBytes),
  }));
}

/** What the file has for a row of a weight, about. */
function storedRowBytes({ source, cols }: Weight, { checkpoint }: ReadContext): number {
  if (source.kind !== 'checkpoint') return 0;
  const elementBytes = source.parts.map(({ tensor }) => {
    const { sizeBytes = 0, shape = [] } = checkpoint.tensor(tensor) ?? {};
    return sizeBytes / shape.reduce((product, size) => product * size, 1);
  });
  return cols * Math.max(...elementBytes);
}

/**
 * Reads dense weights, several parts at a time, and gives them in their order; large parts by rows, in their order.
 *
 * @param mostBytes - of a part; larger weights come in several
 * @throws {AtomoeError} bad-file; non-finite; limit-too-small; network and the like
 */
export function readWeights(
  { weights }: { readonly weights: Iterable<Weight> },
  context: ReadContext,
  mostBytes = Infinity,
): AsyncGenerator<readonly [DensePiece, Uint8Array<ArrayBuffer>], void, undefined> {
  const read = ({ weight, part, slice }: DensePiece, signal: AbortSignal) => {
    const firstRow = part.firstRow + slice.firstRow;
    return readDensePart(weight, { ...part, firstRow, rows: slice.rows }, { ...context, signal });
  };
  return readAhead(piecesOf(weights, context, mostBytes), read, context.signal);
}

/** Reads a part of a dense weight, in its format. */
async function readDensePart(
  weight: Weight,
  part: DensePart,
  context: ReadContext,
): Promise<Uint8Array<ArrayBuffer>> {
  const { source, cols } = weight;
  const { checkpoint, signal } = context;
  if (source.kind === 'computed') return new Uint8Array(source.values().buffer);
  if (source.kind === 'derived') {
    const { readDerivedPart } = await import('./derived-parts.ts');
    const parts = await readTogether(
      Object.entries(source.parts),
      async ([name, each], either) =>
        [name, await readDerivedPart(each, { checkpoint, signal: either })] as const,
      signal,
    );
    return new Uint8Array(source.values(Object.fromEntries(parts)).buffer);
  }
  const parts = rowsWithin(source.parts, part, (rows) => describeMatrix(checkpoint, rows, cols).rows);
  return readParts({ parts, rows: part.rows, cols, format: part.format }, context);
}

/** What tensors have of some rows of their stack. */
function rowsWithin(
  stack: readonly TensorRows[],
  { firstRow, rows }: WeightPart,
  countOf: (rows: TensorRows) => number,
): TensorRows[] {
  const within: TensorRows[] = [];
  let at = 0; // the row of the stack with which a tensor begins
  for (const part of stack) {
    const count = countOf(part);
    const from = Math.max(at, firstRow);
    const to = Math.min(at + count, firstRow + rows);
    if (from < to) {
      within.push({ tensor: part.tensor, rowStart: (part.rowStart ?? 0) + from - at, rowCount: to - from });
    }
    at += count;
  }
  return within;
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
  const readOne = (part: TensorRows, either: AbortSignal) =>
    readStored(checkpoint, part, { cols, signal: either });
  const read = await readTogether(parts, readOne, signal);
  return encodeStored({ dtype, rows, bytes: joined(read.map(({ bytes }) => bytes)) }, { cols, format });
}

function joined(pieces: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const [only, ...others] = pieces;
  if (only && others.length === 0) return only;
  const whole = takeMemory(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
    giveMemory(piece);
  }
  return whole;
}

/** Parts of tensors, stacked. */
async function readParts(
  stack: Stack,
  { checkpoint, signal }: ReadContext,
): Promise<Uint8Array<ArrayBuffer>> {
  const { parts, rows, cols, format } = stack;
  const [first] = parts;
  if (parts.length === 1 && first) return readMatrix(checkpoint, first, { cols, format, signal });
  // Stacked parts: quants follow quants and scales follow scales only if the whole is encoded at once.
  const isWhole = !isStackable(format);
  const stored = isWhole ? await readBlocks(stack, { checkpoint, signal }) : undefined;
  if (stored) return stored;
  const partFormat = isWhole ? EXACT : format;
  const readOne = (part: TensorRows, either: AbortSignal) =>
    readMatrix(checkpoint, part, { cols, format: partFormat, signal: either });
  const stacked = joined(await readTogether(parts, readOne, signal));
  return isWhole ? encodeMatrix('F32', stacked, format, rows, cols) : stacked;
}
