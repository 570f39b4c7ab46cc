/** Records with parts in nested bit planes: the base of all parts first, then the planes that refine them. */
import { invariant } from '../errors.ts';
import type { Plane, WeightFormat } from './format.ts';
import { alignPart, type RecordLayout, type RecordPart } from './record-layout.ts';

/** Formats by their names: their table loads this file with the formats that need it. */
export type FormatOf = (name: string) => WeightFormat;

type Parts = Readonly<Record<string, RecordPart>>;

/** The layout of a record with these parts, in their order; where they are is decided here. */
export function leveledLayout(given: Parts, formatOf: FormatOf): RecordLayout {
  const parts: Record<string, RecordPart> = {};
  let endBytes = 0;
  for (const [name, part] of Object.entries(given)) {
    parts[name] = { ...part, offsetBytes: endBytes };
    endBytes = alignPart(endBytes + baseBytes(part, formatOf));
  }
  const levels = [endBytes];
  const most = Math.max(...Object.values(parts).map((part) => refiningPlanes(part, formatOf).length));
  for (let plane = 0; plane < most; plane += 1) {
    for (const [name, part] of Object.entries(parts)) {
      const own = refiningPlanes(part, formatOf)[plane];
      if (!own) continue;
      parts[name] = { ...part, planes: [...(part.planes ?? []), endBytes] };
      endBytes = alignPart(endBytes + own.sizeBytes);
    }
    levels.push(endBytes);
  }
  return { parts, sizeBytes: endBytes, levels };
}

/** The planes that refine a matrix of fewer bits. */
function refiningPlanes({ format, rows, cols }: RecordPart, formatOf: FormatOf): readonly Plane[] {
  const { levels = [], planes } = formatOf(format);
  return levels.length < 2 ? [] : planes(rows, cols).slice(1 - levels.length);
}

/** The size of a part without its refining planes. */
function baseBytes(part: RecordPart, formatOf: FormatOf): number {
  const planes = formatOf(part.format).planes(part.rows, part.cols);
  const refining = refiningPlanes(part, formatOf);
  return planes.slice(0, planes.length - refining.length).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/**
 * The layout of the beginning of records: of `level` planes above the base. Its formats have to be loaded.
 *
 * @returns undefined if there is no such level
 */
export function beginningOf(
  { parts, levels }: RecordLayout,
  level: number,
  formatOf: FormatOf,
): RecordLayout | undefined {
  const sizeBytes = levels?.[level];
  if (sizeBytes === undefined) return undefined;
  const reduced = Object.entries(parts).map(([name, { format, rows, cols, offsetBytes }]) => {
    const own = formatOf(format).levels;
    const fewer = own?.[Math.min(level, own.length - 1)] ?? format;
    return [name, { format: fewer, rows, cols, offsetBytes }] as const;
  });
  const { levels: own, ...layout } = leveledLayout(Object.fromEntries(reduced), formatOf);
  invariant(layout.sizeBytes === sizeBytes, () => `${layout.sizeBytes} bytes, not ${sizeBytes}`);
  return level === 0 ? layout : { ...layout, ...(own && { levels: own }) };
}

/** Copies a matrix whose planes are consecutive to their places in a record. */
export function putPlanes(
  record: Uint8Array<ArrayBuffer>,
  part: RecordPart,
  offsets: readonly number[],
  bytes: Uint8Array<ArrayBuffer>,
  formatOf: FormatOf,
): void {
  const { format, rows, cols, offsetBytes } = part;
  record.set(bytes.subarray(0, baseBytes(part, formatOf)), offsetBytes);
  for (const [index, { offsetBytes: from, sizeBytes }] of refiningPlanes(part, formatOf).entries()) {
    record.set(bytes.subarray(from, from + sizeBytes), offsets[index]);
  }
  const { link } = formatOf(format);
  invariant(link, () => `${format} does not say where its planes are`);
  const own = offsets.map((at) => at - offsetBytes);
  link(record.subarray(offsetBytes), rows, cols, own);
}
