/** How records are laid out. */
import type { FormatName } from './formats/index.ts';

/** A part of a record: a matrix or a bias. */
export interface RecordPart {
  readonly format: FormatName;
  readonly rows: number;
  readonly cols: number;
  readonly offsetBytes: number; // from the record's start; a multiple of 256
  /** Of a format with `levels`, the offsets of the planes above its base, likewise. The others are at `offsetBytes`. */
  readonly planes?: readonly number[];
}

/** The layout of the records of a layer. */
export interface RecordLayout {
  readonly parts: Readonly<Record<string, RecordPart>>; // `gate`, `up`, `down`; or `in`, `out`
  readonly sizeBytes: number; // a multiple of 256
  /** Where parts have refining planes: how many bytes of the record have the base, the base and one plane of each part, and so on. */
  readonly levels?: readonly number[];
}

const ALIGNMENT = 256; // the guaranteed storage alignment: parts can be bound separately

/** The offset of a part after `sizeBytes` bytes: the next multiple of 256. */
export function alignPart(sizeBytes: number): number {
  return Math.ceil(sizeBytes / ALIGNMENT) * ALIGNMENT;
}
