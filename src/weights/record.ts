/** Records: the matrices of one expert, or of a page of atomic ones, laid out in one piece that goes into a slot. */
import { invariant } from '../errors.ts';
import type { FormatName } from './formats/index.ts';
import { decodeMatrix, matrixLayout } from './matrix.ts';

/** One matrix, or a bias, inside a record. */
export interface RecordPart {
  readonly format: FormatName;
  readonly rows: number;
  readonly cols: number;
  readonly offsetBytes: number; // from the record's start; a multiple of 256
}

/** The layout of every record of a model. */
export interface RecordLayout {
  readonly parts: Readonly<Record<string, RecordPart>>; // `gate`, `up`, `down`; or `in`, `out`
  readonly sizeBytes: number; // a multiple of 256
}

/** Rows and columns of the matrices of a record, by name. */
export type RecordShapes = Readonly<Record<string, readonly [rows: number, cols: number]>>;

const ALIGNMENT = 256; // the portable storage alignment: parts can be bound on their own

/** Where a part may begin that is behind this many bytes. */
export function alignPart(sizeBytes: number): number {
  return Math.ceil(sizeBytes / ALIGNMENT) * ALIGNMENT;
}

/**
 * Lays matrices out one behind the other, each from a 256-byte boundary on.
 *
 * @param formats - of each part by its name, or the one of all
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

/** Where the scales of a part begin, in bytes from the record's start; 0 where it has none. */
export function scalesOffsetBytes({ format, rows, cols, offsetBytes }: RecordPart): number {
  const own = matrixLayout(format, rows, cols).scalesOffsetBytes;
  return own === 0 ? 0 : offsetBytes + own;
}

/** The formats of a record in words: `q4_0`, or `gate q4_0, up q4_0, down q8_0`. */
export function formatsText({ parts }: RecordLayout): string {
  const [first = '', ...others] = new Set(Object.values(parts).map(({ format }) => format));
  if (others.length === 0) return first;
  return Object.entries(parts)
    .map(([name, { format }]) => `${name} ${format}`)
    .join(', ');
}

/** One record's bytes from its encoded matrices. */
export function packRecord(
  { parts, sizeBytes }: RecordLayout,
  matrices: Readonly<Record<string, Uint8Array<ArrayBuffer>>>,
): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(sizeBytes);
  for (const [name, part] of Object.entries(parts)) {
    const bytes = matrices[name];
    invariant(
      bytes && bytes.byteLength <= partBytes(part),
      () => `record part ${name} is ${bytes?.byteLength} bytes, not ${partBytes(part)}`,
    );
    record.set(bytes, part.offsetBytes);
  }
  return record;
}

/** The matrices of a record as f32. */
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
