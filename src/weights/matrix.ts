/** Matrices in a weight format: their sizes, and their encoding from file contents. */
import { invariant } from '../errors.ts';
import { isBlockDtype, toF32, type BlockDtype, type FloatDtype, type WeightDtype } from './dtypes.ts';
import { STORED, weightFormat, type FormatName } from './formats/index.ts';

/** The format with the same bytes as the elements of a file, by element type. */
const FORMAT_OF = Object.fromEntries(
  Object.values(STORED).map(({ storedAs, name }) => [storedAs, name]),
) as Readonly<Record<FloatDtype, FormatName>>;

/** The format that keeps the bits of a stored type. */
export function formatStoredAs(dtype: WeightDtype): FormatName {
  return isBlockDtype(dtype) ? dtype.toLowerCase() : FORMAT_OF[dtype];
}

/** The lossless format: for exact and computed weights, and for matrices that no other format supports. */
export const EXACT = STORED.f32.name;

/** Whether a format supports rows of `cols` columns. EXACT supports any. */
export function holdsRows(format: FormatName, cols: number): boolean {
  return format === EXACT || cols % weightFormat(format).block === 0;
}

/**
 * Chooses the format of a matrix: the wanted quantisation if rows consist of whole blocks, else the file's precision if rows
 * consist of whole units, else f32.
 */
export function chooseFormat(dtype: WeightDtype, cols: number, quantize?: FormatName): FormatName {
  const wanted = [...(quantize ? [quantize] : []), formatStoredAs(dtype)];
  return wanted.find((format) => holdsRows(format, cols)) ?? EXACT;
}

/** The common format of several matrices: f32 if their formats differ, so that none loses precision. */
export function commonFormat(formats: Iterable<FormatName>): FormatName {
  const [first = EXACT, ...others] = new Set(formats);
  return others.length === 0 ? first : EXACT;
}

/** The size of an encoded matrix and the offset of its scales, in bytes. */
export interface MatrixLayout {
  readonly sizeBytes: number; // a multiple of 4
  readonly scalesOffsetBytes: number; // 0 if there are none
}

/** The layout of a [rows, cols] matrix in a format. */
export function matrixLayout(format: FormatName, rows: number, cols: number): MatrixLayout {
  const planes = weightFormat(format).planes(rows, cols);
  const endBytes = Math.max(...planes.map(({ offsetBytes, sizeBytes }) => offsetBytes + sizeBytes));
  const scales = planes.find(({ name }) => name === 'scales');
  return { sizeBytes: Math.ceil(endBytes / 4) * 4, scalesOffsetBytes: scales?.offsetBytes ?? 0 };
}

/** Size in bytes of a matrix's binding: a multiple of 16, because kernels read 16-byte words. */
export function boundBytes(sizeBytes: number): number {
  return Math.max(16, Math.ceil(sizeBytes / 16) * 16);
}

/** Whether a matrix is the concatenation of its encoded rows, so that matrices can be stacked. */
export function isStackable(format: FormatName): boolean {
  const { block, planes } = weightFormat(format);
  return planes(1, block).length === 1;
}

/**
 * Whether a matrix can be put together from matrices of some of its rows: not if rows say how far behind their planes are, or
 * all have something in common.
 */
export function hasLooseRows(format: FormatName): boolean {
  const { block, link, planes } = weightFormat(format);
  const [some, twice] = [planes(64, block), planes(128, block)];
  return link === undefined && some.every(({ sizeBytes }, at) => twice[at]?.sizeBytes === 2 * sizeBytes);
}

/** Where bytes of some rows belong in their matrix. */
export interface RowPlace {
  readonly fromBytes: number; // in a matrix of these rows alone
  readonly toBytes: number;
  readonly sizeBytes: number;
}

/**
 * Where consecutive rows belong in their matrix, a place for each plane.
 *
 * @param of - `first`, a multiple of `ROW_STEP`, and how many there are of all `rows`
 */
export function placesOfRows(
  format: FormatName,
  cols: number,
  { first, count, rows }: { first: number; count: number; rows: number },
): RowPlace[] {
  const { planes } = weightFormat(format);
  const [own, before, all] = [planes(count, cols), planes(first, cols), planes(rows, cols)];
  return all.map(({ offsetBytes, sizeBytes: wholeBytes }, at) => {
    const skippedBytes = first === 0 ? 0 : (before[at]?.sizeBytes ?? 0);
    const { offsetBytes: fromBytes = 0, sizeBytes: ownBytes = 0 } = own[at] ?? {};
    return {
      fromBytes,
      toBytes: offsetBytes + skippedBytes,
      sizeBytes: Math.min(ownBytes, wholeBytes - skippedBytes), // without what fills the last word up
    };
  });
}

/** Encodes a matrix read from a file. Returns `bytes` itself if no conversion is needed; `into` as of `Repack`. */
export function encodeMatrix(
  dtype: WeightDtype,
  bytes: Uint8Array<ArrayBuffer>,
  format: FormatName,
  rows: number,
  cols: number,
  into?: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const { name, storedAs, encode } = weightFormat(format);
  if (dtype === storedAs) return bytes;
  if (isBlockDtype(dtype) && format === formatStoredAs(dtype)) {
    return repackBlocks(dtype, bytes, rows, cols, into);
  }
  const values = storedToF32(dtype, bytes, rows, cols);
  invariant(values.length === rows * cols, () => `${values.length} values for a matrix of ${rows} x ${cols}`);
  invariant(encode, () => `nothing is encoded as ${name}`);
  return encode(values, rows, cols);
}

/** The values of a matrix read from a file. */
export function storedToF32(
  dtype: WeightDtype,
  bytes: Uint8Array<ArrayBuffer>,
  rows: number,
  cols: number,
): Float32Array<ArrayBuffer> {
  if (!isBlockDtype(dtype)) return toF32(dtype, bytes);
  return decodeMatrix(formatStoredAs(dtype), repackBlocks(dtype, bytes, rows, cols), rows, cols);
}

function repackBlocks(
  dtype: BlockDtype,
  bytes: Uint8Array<ArrayBuffer>,
  rows: number,
  cols: number,
  into?: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const repack = weightFormat(formatStoredAs(dtype)).repack;
  invariant(repack, () => `nothing reads ${dtype} blocks`);
  return repack(bytes, rows, cols, into);
}

/** Decodes a matrix to [rows, cols] f32. */
export function decodeMatrix(
  format: FormatName,
  bytes: Uint8Array<ArrayBuffer>,
  rows: number,
  cols: number,
): Float32Array<ArrayBuffer> {
  return weightFormat(format).decode(bytes, rows, cols);
}
