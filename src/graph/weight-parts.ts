/** Matrices that are larger than a binding are in several, cut by rows. */
import type { Limits } from '../gpu/device.ts';
import { AtomoeError } from '../errors.ts';
import type { Weight } from './tensor.ts';

/** Rows of a weight that are in one binding. */
export interface WeightPart {
  readonly firstRow: number;
  readonly rows: number;
}

/** A buffer is moved to and from GPU memory as a whole under some systems: smaller ones leave room to move. */
export const MOST_BUFFER_BYTES = 2 ** 29;

/** Smaller bounds than a device's, so that small models meet what large ones do. For tests. */
export interface Bounds {
  readonly matrixBindingBytes?: number;
  readonly mostMultiplyAdds?: number;
}

/** The largest binding that a matrix gets on a device. */
export function matrixBindingBytes(
  { maxBindingBytes, maxBufferSizeBytes }: Limits,
  { matrixBindingBytes: most = MOST_BUFFER_BYTES }: Bounds = {},
): number {
  return Math.min(maxBindingBytes, maxBufferSizeBytes, most);
}

/**
 * The fewest parts of at most `mostBytes` each, as equal as rows allow. `exact` weights stay whole: kernels other than
 * products and embeddings bind them.
 *
 * @param sizeOf - bytes of this many rows
 * @throws {AtomoeError} limit-too-small
 */
export function weightParts(
  { rows, exact, name }: Pick<Weight, 'rows' | 'exact' | 'name'>,
  sizeOf: (rows: number) => number,
  mostBytes: number,
): WeightPart[] {
  if (exact || sizeOf(rows) <= mostBytes) return [{ firstRow: 0, rows }];
  const rowBytes = sizeOf(ROW_STEP) / ROW_STEP;
  const most = Math.floor(mostBytes / rowBytes / ROW_STEP) * ROW_STEP;
  if (most === 0) {
    const least = Math.min(rows, ROW_STEP);
    throw new AtomoeError(
      'limit-too-small',
      `${name} is bound by ${least} rows at least, which take ${sizeOf(least)} bytes; this device binds ${mostBytes}; ` +
        'use another adapter, or quantize',
    );
  }
  const count = Math.ceil(rows / most);
  const each = Math.ceil(rows / count / ROW_STEP) * ROW_STEP;
  return Array.from({ length: Math.ceil(rows / each) }, (_, part) => ({
    firstRow: part * each,
    rows: Math.min(each, rows - part * each),
  }));
}

/** Rows of whole tiles of every kernel, and of whole words of scales. */
const ROW_STEP = 64;
