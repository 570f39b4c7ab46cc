import { invariant } from '../errors.ts';
import type { FormatName } from '../weights/formats/index.ts';
import { decodeMatrix, matrixLayout } from '../weights/matrix.ts';
import type { RecordLayout, RecordPart } from '../graph/experts.ts';

const ALIGNMENT = 256; // the portable storage alignment: parts can be bound on their own

function align(value: number): number {
  return Math.ceil(value / ALIGNMENT) * ALIGNMENT;
}

/** Lays matrices out one behind the other, each from a 256-byte boundary on. */
export function recordLayout(
  format: FormatName,
  shapes: Readonly<Record<string, readonly [rows: number, cols: number]>>,
): RecordLayout {
  const parts: Record<string, RecordPart> = {};
  let sizeBytes = 0;
  for (const [name, [rows, cols]] of Object.entries(shapes)) {
    const layout = matrixLayout(format, rows, cols);
    const scalesOffsetBytes = layout.scalesOffsetBytes === 0 ? 0 : sizeBytes + layout.scalesOffsetBytes;
    parts[name] = { rows, cols, offsetBytes: sizeBytes, scalesOffsetBytes };
    sizeBytes = align(sizeBytes + layout.sizeBytes);
  }
  return { format, parts, sizeBytes };
}

/** One record's bytes from its encoded matrices. */
export function packRecord(
  layout: RecordLayout,
  matrices: Readonly<Record<string, Uint8Array<ArrayBuffer>>>,
): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(layout.sizeBytes);
  for (const [name, { offsetBytes, rows, cols }] of Object.entries(layout.parts)) {
    const bytes = matrices[name];
    const { sizeBytes } = matrixLayout(layout.format, rows, cols);
    invariant(
      bytes && bytes.byteLength <= sizeBytes,
      () => `record part ${name} is ${bytes?.byteLength} bytes, not ${sizeBytes}`,
    );
    record.set(bytes, offsetBytes);
  }
  return record;
}

/** The matrices of a record as f32. */
export function unpackRecord(
  layout: RecordLayout,
  record: Uint8Array<ArrayBuffer>,
): Record<string, Float32Array<ArrayBuffer>> {
  const matrices: Record<string, Float32Array<ArrayBuffer>> = {};
  for (const [name, { offsetBytes, rows, cols }] of Object.entries(layout.parts)) {
    const { sizeBytes } = matrixLayout(layout.format, rows, cols);
    matrices[name] = decodeMatrix(
      layout.format,
      record.subarray(offsetBytes, offsetBytes + sizeBytes),
      rows,
      cols,
    );
  }
  return matrices;
}
