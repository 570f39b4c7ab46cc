/** Records: the matrices of one expert, or of a page of atomic experts, in one contiguous range that fits a slot. */
import { invariant } from '../errors.ts';
import { weightFormat, type FormatName } from './formats/index.ts';
import { decodeMatrix, matrixLayout } from './matrix.ts';

/** A part of a record: a matrix or a bias. */
export interface RecordPart {
  readonly format: FormatName;
  readonly rows: number;
  readonly cols: number;
  readonly offsetBytes: number; // from the record's start; a multiple of 256
}

/** The layout of the records of a layer. */
export interface RecordLayout {
  readonly parts: Readonly<Record<string, RecordPart>>; // `gate`, `up`, `down`; or `in`, `out`
  readonly sizeBytes: number; // a multiple of 256
}

/** Rows and columns of the matrices of a record, by name. */
export type RecordShapes = Readonly<Record<string, readonly [rows: number, cols: number]>>;

const ALIGNMENT = 256; // the guaranteed storage alignment: parts can be bound separately

/** The offset of a part after `sizeBytes` bytes: the next multiple of 256. */
export function alignPart(sizeBytes: number): number {
  return Math.ceil(sizeBytes / ALIGNMENT) * ALIGNMENT;
}

/**
 * The layout of a record: parts in order, each aligned to 256 bytes.
 *
 * @param formats - by name of the part, or one format for all parts
 */
export function recordLayout(
  formats: FormatName | Readonly<Record<string, FormatName>>,
  shapes: RecordShapes,
): RecordLayout {
  const parts: Record<string, RecordPart> = {};
  let sizeBytes = 0;
  for (const [name, [rows, cols]] of Object.entries(shapes)) {
    const format = typeof formats === 'string' ? formats : formats[name];
    invariant(format !== undefined, () => `record part ${name} has no format`);
    parts[name] = { format, rows, cols, offsetBytes: sizeBytes };
    sizeBytes = alignPart(sizeBytes + partBytes(parts[name]));
  }
  return { parts, sizeBytes };
}

function partBytes({ format, rows, cols }: RecordPart): number {
  return matrixLayout(format, rows, cols).sizeBytes;
}

/** The offset of a part's scales in a record, in bytes; 0 if it has none. */
export function scalesOffsetBytes({ format, rows, cols, offsetBytes }: RecordPart): number {
  const own = matrixLayout(format, rows, cols).scalesOffsetBytes;
  return own === 0 ? 0 : offsetBytes + own;
}

/** The formats of a record as text: `q4_0`, or `gate q4_0, up q4_0, down q8_0`. */
export function formatsText({ parts }: RecordLayout): string {
  const [first = '', ...others] = new Set(Object.values(parts).map(({ format }) => format));
  if (others.length === 0) return first;
  return Object.entries(parts)
    .map(([name, { format }]) => `${name} ${format}`)
    .join(', ');
}

/** Packs encoded matrices into a record. */
export function packRecord(
  { parts, sizeBytes }: RecordLayout,
  matrices: Readonly<Record<string, Uint8Array<ArrayBuffer>>>,
): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(sizeBytes);
  for (const [name, part] of Object.entries(parts)) {
    const bytes = matrices[name];
    invariant(bytes, () => `a record without part ${name}`);
    putPart(placeOfPart(record, part), bytes, name);
  }
  return record;
}

/** The bytes of a matrix in a record. */
export function placeOfPart(
  record: Uint8Array<ArrayBuffer>,
  { format, rows, cols, offsetBytes }: RecordPart,
): Uint8Array<ArrayBuffer> {
  const sizeBytes = weightFormat(format)
    .planes(rows, cols)
    .reduce((sum, plane) => sum + plane.sizeBytes, 0);
  return record.subarray(offsetBytes, offsetBytes + sizeBytes);
}

/** Copies a matrix to its place in a record, unless it was made there. */
export function putPart(place: Uint8Array<ArrayBuffer>, bytes: Uint8Array<ArrayBuffer>, name: string): void {
  if (bytes === place) return;
  invariant(
    bytes.byteLength <= place.byteLength,
    () => `record part ${name} is ${bytes.byteLength} bytes, not ${place.byteLength}`,
  );
  place.set(bytes);
}

/** Decodes the matrices of a record to f32. */
export function unpackRecord(
  { parts }: RecordLayout,
  record: Uint8Array<ArrayBuffer>,
): Record<string, Float32Array<ArrayBuffer>> {
  const matrices: Record<string, Float32Array<ArrayBuffer>> = {};
  for (const [name, part] of Object.entries(parts)) {
    const { format, rows, cols, offsetBytes } = part;
    const bytes = record.subarray(offsetBytes, offsetBytes + partBytes(part));
    matrices[name] = decodeMatrix(format, bytes, rows, cols);
  }
  return matrices;
}
