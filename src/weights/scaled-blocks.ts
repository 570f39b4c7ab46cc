/**
 * Shared by formats whose blocks of 32 weights of one row have a common f16 scale. The values are those of ggml, but not the
 * layout: a ggml block is a scale of 2 bytes followed by its quants, which are therefore not aligned to 32-bit words. Here a
 * matrix has two planes: all quants, row-major, then all scales, two per 32-bit word, in the order of blocks.
 */
import { AtomoeError, invariant } from '../errors.ts';
import type { Plane, Repack } from './format.ts';
import { f32ToF16 } from './half.ts';

/** Number of weights with a common scale. */
export const BLOCK = 32;

const SCALE_BYTES = 2;

/** A format of this kind: its name, and the size of a block's quants. A ggml block has two more bytes. */
export interface BlockKind {
  readonly name: string;
  readonly quantBytes: number; // a multiple of 16
}

/** The planes of a matrix as views of `bytes`. */
export interface Blocks {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly quants: Uint8Array<ArrayBuffer>;
  readonly scales: Uint16Array<ArrayBuffer>; // f16 bits
  readonly count: number;
}

/** The two planes of a [rows, cols] matrix: quants, then scales. */
export function blockPlanes({ name, quantBytes }: BlockKind, rows: number, cols: number): readonly Plane[] {
  invariant(cols % BLOCK === 0, () => `${name}: ${cols} columns are not a multiple of ${BLOCK}`);
  const blocks = (rows * cols) / BLOCK;
  const offsetBytes = blocks * quantBytes;
  return [
    { name: 'quants', offsetBytes: 0, sizeBytes: offsetBytes },
    { name: 'scales', offsetBytes, sizeBytes: Math.ceil(blocks / 2) * 2 * SCALE_BYTES },
  ];
}

/** Views of the planes of a matrix. `bytes` is the whole matrix, at an even byte offset. */
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

/** A zeroed [rows, cols] matrix, to be filled with `elements` values. */
export function emptyBlocks(kind: BlockKind, elements: number, rows: number, cols: number): Blocks {
  invariant(elements === rows * cols, () => `${kind.name}: ${elements} values, not ${rows} x ${cols}`);
  return blocksOf(kind, new Uint8Array(blockBytes(kind, rows, cols)), rows, cols);
}

/**
 * Rearranges ggml blocks; lossless.
 *
 * @param given - the ggml blocks of [rows, cols], row-major, and the other parameters of `Repack`
 */
export function repackGgml(kind: BlockKind, ...given: Parameters<Repack>): Uint8Array<ArrayBuffer> {
  const [source, rows, cols, into = new Uint8Array(blockBytes(kind, rows, cols))] = given;
  const { name, quantBytes } = kind;
  const wanted = ((rows * cols) / BLOCK) * (SCALE_BYTES + quantBytes);
  invariant(source.byteLength === wanted, () => `${name}: ${source.byteLength} bytes, not ${wanted}`);
  const { bytes, quants, scales, count } = blocksOf(kind, into, rows, cols);
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const words = new Uint32Array(quants.buffer, quants.byteOffset, quants.byteLength / 4);
  const blockWords = quantBytes / 4;
  for (let block = 0; block < count; block++) {
    const from = block * (SCALE_BYTES + quantBytes);
    scales[block] = view.getUint16(from, true);
    for (let k = 0; k < blockWords; k++) {
      words[block * blockWords + k] = view.getUint32(from + SCALE_BYTES + 4 * k, true);
    }
  }
  return bytes;
}

/**
 * The f16 bits of a block's scale.
 *
 * @throws {AtomoeError} non-finite - it exceeds the range of f16
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
