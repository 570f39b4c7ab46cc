/** Weights of a byte each: blocks of 32 with an f32 scale in front, as the formats of 8 bits read them. */
import { BLOCK_DTYPES } from '../../weights/dtypes.ts';
import type { HeldTensor, ReadPart, RowRange } from '../tensor-files.ts';
import { readScales, type ScaleGrid } from './scales.ts';

const { block: BLOCK, sizeBytes: BLOCK_BYTES } = BLOCK_DTYPES.F8_G128;
const SCALE_BYTES = BLOCK_BYTES - BLOCK;

/** The multiple of columns that blocks of scales have: the formats have a scale for this many. */
export const SCALED_COLS = 128;

/** A matrix of bytes, whose tensor may have several in an element. */
export interface ByteMatrix {
  readonly codes: HeldTensor;
  readonly scales: ScaleGrid;
  readonly cols: number;
  readonly flip?: number; // bits of each byte to flip; default: none
}

/** Rows of it as blocks. */
export async function readByteRows(
  { codes, scales, cols, flip = 0 }: ByteMatrix,
  rows: RowRange,
  read: ReadPart,
): Promise<Uint8Array<ArrayBuffer>> {
  const [bytes, { values, at }] = await Promise.all([read(codes, rows), readScales(scales, rows, read)]);
  const blocks = cols / BLOCK;
  const to = new Uint8Array(rows.count * blocks * BLOCK_BYTES);
  const view = new DataView(to.buffer);
  for (let block = 0; block < rows.count * blocks; block += 1) {
    const [row, col] = [Math.floor(block / blocks), (block % blocks) * BLOCK];
    const into = block * BLOCK_BYTES;
    view.setFloat32(into, values[at(row) + Math.floor(col / scales.groupCols)] ?? NaN, true);
    to.set(bytes.subarray(block * BLOCK, (block + 1) * BLOCK), into + SCALE_BYTES);
    if (flip === 0) continue;
    for (let i = into + SCALE_BYTES; i < into + BLOCK_BYTES; i += 1) to[i] = (to[i] ?? 0) ^ flip;
  }
  return to;
}
