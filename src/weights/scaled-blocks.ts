/**
 * What formats have in common whose blocks of 32 weights of one row share an f16 scale. The values are ggml's; the place of
 * the bits is ours. A ggml block is 2 bytes of scale and then its quants, so quants are at odd places for 32-bit loads. Here
 * a matrix is taken apart: first all quants, row after row, then all scales, two to a 32-bit word, in the order of the blocks.
 */
import { AtomoeError, invariant } from '../errors.ts';
import type { Plane } from './format.ts';
import { f32ToF16 } from './half.ts';

/** Weights that share a scale. */
export const BLOCK = 32;

const SCALE_BYTES = 2;

/** A format of this kind: its name, and the bytes of a block's quants. A ggml block has two more. */
export interface BlockKind {
  readonly name: string;
  readonly quantBytes: number; // a multiple of 16
}

/** A matrix taken apart. The views are of `bytes`. */
export interface Blocks {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly quants: Uint8Array<ArrayBuffer>;
  readonly scales: Uint16Array<ArrayBuffer>; // f16 bits
  readonly count: number;
}

/** Quants first, then scales: the two planes of a [rows, cols] matrix. */
export function blockPlanes({ name, quantBytes }: BlockKind, rows: number, cols: number): readonly Plane[] {
  invariant(cols % BLOCK === 0, () => `${name}: ${cols} columns are no multiple of ${BLOCK}`);
  const blocks = (rows * cols) / BLOCK;
  const offsetBytes = blocks * quantBytes;
  return [
    { name: 'quants', offsetBytes: 0, sizeBytes: offsetBytes },
    { name: 'scales', offsetBytes, sizeBytes: Math.ceil(blocks / 2) * 2 * SCALE_BYTES },
  ];
}

/** @param bytes - of the whole matrix, from a multiple of 2 on */
export function blocksOf(
  kind: BlockKind,
  bytes: Uint8Array<ArrayBuffer>,
  rows: number,
  cols: number,
): Blocks {
  const { name, quantBytes } = kind;
  const count = (rows * cols) / BLOCK;
  const sizeBytes = blockBytes(kind, rows, cols);
  invariant(bytes.byteLength === sizeBytes, () => `${name}: ${bytes.byteLength} bytes, not ${sizeBytes}`);
  const quants = bytes.subarray(0, count * quantBytes);
  const scales = new Uint16Array(bytes.buffer, bytes.byteOffset + quants.byteLength, count);
  return { bytes, quants, scales, count };
}

function blockBytes(kind: BlockKind, rows: number, cols: number): number {
  return blockPlanes(kind, rows, cols).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** A matrix to be filled, of this many values. */
export function emptyBlocks(kind: BlockKind, elements: number, rows: number, cols: number): Blocks {
  invariant(elements === rows * cols, () => `${kind.name}: ${elements} values, not ${rows} x ${cols}`);
  return blocksOf(kind, new Uint8Array(blockBytes(kind, rows, cols)), rows, cols);
}

/**
 * Rearranges ggml blocks; no value changes.
 *
 * @param source - the raw blocks of [rows, cols], row after row
 */
export function repackGgml(
  kind: BlockKind,
  source: Uint8Array,
  rows: number,
  cols: number,
): Uint8Array<ArrayBuffer> {
  const { name, quantBytes } = kind;
  const wanted = ((rows * cols) / BLOCK) * (SCALE_BYTES + quantBytes);
  invariant(source.byteLength === wanted, () => `${name}: ${source.byteLength} bytes, not ${wanted}`);
  const { bytes, quants, scales, count } = emptyBlocks(kind, rows * cols, rows, cols);
  for (let block = 0; block < count; block++) {
    const from = block * (SCALE_BYTES + quantBytes);
    scales[block] = (source[from] ?? 0) | ((source[from + 1] ?? 0) << 8);
    const body = source.subarray(from + SCALE_BYTES, from + SCALE_BYTES + quantBytes);
    quants.set(body, block * quantBytes);
  }
  return bytes;
}

/**
 * The f16 bits of a block's scale.
 *
 * @throws {AtomoeError} non-finite - f16 cannot hold it
 */
export function scaleBits(kind: BlockKind, scale: number, block: number, cols: number): number {
  const bits = f32ToF16(scale);
  if ((bits & 0x7c00) !== 0x7c00) return bits;
  const row = Math.floor((block * BLOCK) / cols);
  throw new AtomoeError(
    'non-finite',
    `row ${row} cannot be stored as ${kind.name}: a block needs the scale ${scale}, f16 holds at most 65504; load the ` +
      `model without quantize`,
  );
}
