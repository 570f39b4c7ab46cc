/** Experts packed in nested bit planes, read in fewer bits or plane by plane. */
import type { ReadyRecords } from '../containers/checkpoint.ts';
import { AtomoeError, invariant } from '../errors.ts';
import { weightFormat } from '../weights/formats/index.ts';
import { beginningOf } from '../weights/record-levels.ts';
import { formatsText } from '../weights/record.ts';
import { BaseRecords, type RecordPlanes } from './base-records.ts';

/** Records of which the beginning is read. */
export interface BitRecords extends ReadyRecords {
  readonly savedBytes?: number; // of each
}

/** The bits of the base of nested planes. */
const BASE_BITS = 2;

/** The same records in fewer bits: the planes beyond are left out. */
export function ofBits(records: ReadyRecords, bits: number, label: string): BitRecords {
  const level = bits - BASE_BITS;
  const { layout, levels } = records;
  const beginning = levels && beginningOf(layout, level, weightFormat);
  if (!beginning) throw noPlanes(label, bits, formatsText(layout));
  if (level === levels.ends.length - 1) return records;
  return {
    ...records,
    layout: beginning,
    savedBytes: layout.sizeBytes - beginning.sizeBytes,
    levels: { ...levels, ends: levels.ends.slice(0, level + 1) },
    read: (layer, unit, options) => levels.read(layer, unit, { first: 0, end: level + 1 }, options),
  };
}

export function noPlanes(label: string, bits: number, found: string): AtomoeError {
  return new AtomoeError(
    'bad-input',
    `expertBits is ${bits}, and the experts of ${label} are ${found}; it leaves out planes of experts that were packed with ` +
      `--quantize nested4 (2, 3 or 4) or nested3 (2 or 3); leave it out, or pack the model so`,
  );
}

/** The base of records, and the rest of them, where there is more. */
export function planesOf({ layout, levels }: ReadyRecords): RecordPlanes | undefined {
  const [baseBytes = 0, ...others] = levels?.ends ?? [];
  if (!levels || others.length === 0) return undefined;
  const part =
    (first: number, end: number): RecordPlanes['readBase'] =>
    (layer, unit, signal) =>
      levels.read(layer, unit, { first, end }, { signal });
  invariant(levels.ends.at(-1) === layout.sizeBytes, () => 'levels that are not the whole record');
  const planes = { baseBytes, readBase: part(0, 1), readRest: part(1, levels.ends.length) };
  return { ...planes, open: (options) => new BaseRecords(planes, options) };
}
