/** Division of matrices that exceed the maximum size of a binding, by rows. */
import type { Limits } from '../gpu/device.ts';
import { AtomoeError } from '../errors.ts';
import type { Weight } from './tensor.ts';

/** A range of rows of a weight in one binding. */
export interface WeightPart {
  readonly firstRow: number;
  readonly rows: number;
}

/** Maximum size of a buffer. Some systems move whole buffers to and from GPU memory, which needs room. */
export const MAX_BUFFER_BYTES = 2 ** 29;

/** Smaller limits than the device's, so that tests cover the division with small models. */
export interface Bounds {
  readonly matrixBindingBytes?: number;
  readonly mostMultiplyAdds?: number;
  /** Bytes of dense weights in the first WebAssembly memory, and of experts that share one. */
  readonly memoryBytes?: number;
}

/** Maximum size in bytes of a matrix binding on a device. */
export function matrixBindingBytes(
  { maxBindingBytes, maxBufferSizeBytes }: Limits,
  { matrixBindingBytes: most = MAX_BUFFER_BYTES }: Bounds = {},
): number {
  return Math.min(maxBindingBytes, maxBufferSizeBytes, most);
}

/**
 * The fewest parts of at most `mostBytes` each, as equal as rows allow. `exact` weights are not divided, because kernels other
 * than products and embeddings bind them.
 *
 * @param sizeOf - size in bytes of a number of rows
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
      `${name} needs bindings of ${least} rows, ${sizeOf(least)} bytes; this device binds ${mostBytes}; ` +
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

/** Parts start at multiples of this: whole tiles of every kernel, and whole words of scales. */
export const ROW_STEP = 64;
