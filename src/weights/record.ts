/** Records: the matrices of one expert, or of a page of atomic experts, in one contiguous range that fits a slot. */
import { invariant } from '../errors.ts';
import { weightFormat, type FormatName } from './formats/index.ts';
import { decodeMatrix, matrixLayout } from './matrix.ts';
import { alignPart, type RecordLayout, type RecordPart } from './record-layout.ts';

export type { RecordLayout, RecordPart } from './record-layout.ts';

/** Rows and columns of the matrices of a record, by name. */
export type RecordShapes = Readonly<Record<string, readonly [rows: number, cols: number]>>;

/**
 * The layout of a record: parts in order, each aligned to 256 bytes; then the first refining plane of each, the second, and so on.
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
  const leveled = Object.values(parts).find(hasLevels);
  const records = leveled && weightFormat(leveled.format).records;
  return records ? records.leveledLayout(parts, weightFormat) : { parts, sizeBytes };
}

function hasLevels({ format }: RecordPart): boolean {
  return (weightFormat(format).levels?.length ?? 0) > 1;
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
    putPart(record, part, bytes, name);
  }
  return record;
}

/** The bytes of a matrix in a record, to be made there; undefined if its planes are not consecutive. */
export function placeOfPart(
  record: Uint8Array<ArrayBuffer>,
  part: RecordPart,
): Uint8Array<ArrayBuffer> | undefined {
  const { format, rows, cols, offsetBytes, planes } = part;
  if (planes) return undefined;
  const sizeBytes = weightFormat(format)
    .planes(rows, cols)
    .reduce((sum, plane) => sum + plane.sizeBytes, 0);
  return record.subarray(offsetBytes, offsetBytes + sizeBytes);
}

/** Copies a matrix to its place in a record, unless it was made there. */
export function putPart(
  record: Uint8Array<ArrayBuffer>,
  part: RecordPart,
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
): void {
  const { offsetBytes, planes } = part;
  if (bytes.buffer === record.buffer && bytes.byteOffset === record.byteOffset + offsetBytes) return;
  const sizeBytes = partBytes(part);
  invariant(
    bytes.byteLength <= sizeBytes,
    () => `record part ${name} is ${bytes.byteLength} bytes, not ${sizeBytes}`,
  );
  if (planes) weightFormat(part.format).records?.putPlanes(record, part, planes, bytes, weightFormat);
  else record.set(bytes, offsetBytes);
}

/** Decodes the matrices of a record to f32. */
export function unpackRecord(
  { parts }: RecordLayout,
  record: Uint8Array<ArrayBuffer>,
): Record<string, Float32Array<ArrayBuffer>> {
  const matrices: Record<string, Float32Array<ArrayBuffer>> = {};
  for (const [name, part] of Object.entries(parts)) {
    const { format, rows, cols, offsetBytes } = part;
    const bytes = record.subarray(offsetBytes, part.planes ? undefined : offsetBytes + partBytes(part));
    matrices[name] = decodeMatrix(format, bytes, rows, cols);
  }
  return matrices;
}
