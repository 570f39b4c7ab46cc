/** Matrices in a weight format: how large they are, and how they are made of what files hold. */
import { invariant } from '../errors.ts';
import { toF32, type WeightDtype } from './dtypes.ts';
import { STORED, weightFormat, type FormatName } from './formats/index.ts';

/** The format whose bytes are those of a file's elements. */
const FORMAT_OF = Object.fromEntries(
  Object.values(STORED).map(({ storedAs, name }) => [storedAs, name]),
) as Readonly<Record<WeightDtype, FormatName>>;

/** Holds any matrix without loss: for what is exact, for computed weights, and where nothing else fits. */
export const EXACT = STORED.f32.name;

/** Whether rows of this many columns can be loaded in this format. Every row can in the exact one. */
export function holdsRows(format: FormatName, cols: number): boolean {
  return format === EXACT || cols % weightFormat(format).block === 0;
}

/**
 * The format in which a matrix is kept: the wanted quantisation where rows divide into blocks, else the file's own
 * precision where kernels can load it, else f32.
 */
export function chooseFormat(dtype: WeightDtype, cols: number, quantize?: FormatName): FormatName {
  const wanted = [...(quantize ? [quantize] : []), FORMAT_OF[dtype]];
  return wanted.find((format) => holdsRows(format, cols)) ?? EXACT;
}

/** The one format of what is kept together: f32 where there are several, so that nothing loses bits. */
export function commonFormat(formats: Iterable<FormatName>): FormatName {
  const [first = EXACT, ...others] = new Set(formats);
  return others.length === 0 ? first : EXACT;
}

/** The size of an encoded matrix, and where its scales begin, in bytes. */
export interface MatrixLayout {
  readonly sizeBytes: number; // a multiple of 4
  readonly scalesOffsetBytes: number; // 0 when there are none
}

/** The layout of a [rows, cols] matrix in a format. */
export function matrixLayout(format: FormatName, rows: number, cols: number): MatrixLayout {
  const planes = weightFormat(format).planes(rows, cols);
  const endBytes = Math.max(...planes.map(({ offsetBytes, sizeBytes }) => offsetBytes + sizeBytes));
  const scales = planes.find(({ name }) => name === 'scales');
  return { sizeBytes: Math.ceil(endBytes / 4) * 4, scalesOffsetBytes: scales?.offsetBytes ?? 0 };
}

/** What a buffer of a matrix takes: kernels see whole words of 16 bytes only, and the last scales may end within one. */
export function boundBytes(sizeBytes: number): number {
  return Math.max(16, Math.ceil(sizeBytes / 16) * 16);
}

/** Whether matrices of several rows are those of one row each, one behind the other: then they can be stacked. */
export function isStackable(format: FormatName): boolean {
  const { block, planes } = weightFormat(format);
  return planes(1, block).length === 1;
}

/** Re-encodes a matrix read from a file. Returns the bytes themselves where nothing changes. */
export function encodeMatrix(
  dtype: WeightDtype,
  bytes: Uint8Array<ArrayBuffer>,
  format: FormatName,
  rows: number,
  cols: number,
): Uint8Array<ArrayBuffer> {
  const { name, storedAs, encode } = weightFormat(format);
  if (dtype === storedAs) return bytes;
  const values = toF32(dtype, bytes);
  invariant(values.length === rows * cols, () => `${values.length} values for a matrix of ${rows} x ${cols}`);
  invariant(encode, () => `nothing is encoded as ${name}`);
  return encode(values, rows, cols);
}

/** The values that kernels see: [rows, cols] f32. */
export function decodeMatrix(
  format: FormatName,
  bytes: Uint8Array<ArrayBuffer>,
  rows: number,
  cols: number,
): Float32Array<ArrayBuffer> {
  return weightFormat(format).decode(bytes, rows, cols);
}
