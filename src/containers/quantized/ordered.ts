/**
 * Columns ordered by activations (`g_idx`: the group of each column): neighbours have different scales, which no block of a weight
 * format holds; nor does one hold bytes with zero points. Such weights are computed one by one, and rounded to the type of their scales, as the kernels of the tools do
 * before they multiply. Sorting the columns would keep four bits, but every expert has an order of its own, and its kernels
 * would have to gather their inputs.
 */
import { AtomoeError } from '../../errors.ts';
import { isFloatDtype, type FloatDtype, type StoredDtype } from '../../weights/dtypes.ts';
import { f32ArrayToBf16, f32ArrayToF16 } from '../../weights/half.ts';
import type { HeldTensor } from '../tensor-files.ts';

/** The type of weights that are computed: that of their scales. */
export function computedDtype(scales: StoredDtype): FloatDtype {
  return isFloatDtype(scales) ? scales : 'F32';
}

/** Code `i` of codes in order, two in a byte if they have four bits. */
export function codeAt(codes: Uint8Array, bits: 4 | 8, i: number): number {
  if (bits === 8) return codes[i] ?? 0;
  return ((codes[i >> 1] ?? 0) >> (4 * (i & 1))) & 15;
}

/** Bytes of computed values. An f16 that is too large becomes an infinity, which the reader of the tensor finds. */
export function computedBytes(dtype: FloatDtype, values: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (dtype === 'F32') return new Uint8Array(values.buffer);
  return new Uint8Array((dtype === 'F16' ? f32ArrayToF16(values) : f32ArrayToBf16(values)).buffer);
}

/** @throws {AtomoeError} bad-file - a column is in a group that has no scales */
export function checkGroups({ info }: HeldTensor, groupOf: Uint32Array, groups: number): void {
  const col = groupOf.findIndex((group) => group >= groups);
  if (col < 0) return;
  throw new AtomoeError(
    'bad-file',
    `${info.file}: tensor "${info.name}" puts column ${col} into group ${(groupOf[col] ?? 0) | 0}; wanted 0 to ${groups - 1}; ` +
      'download the file again',
  );
}
