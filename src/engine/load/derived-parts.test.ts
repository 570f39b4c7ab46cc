import { expect, test } from 'vitest';
import type { Checkpoint, TensorInfo } from '../../containers/checkpoint.ts';
import type { WeightDtype } from '../../weights/dtypes.ts';
import { readDerivedPart } from './derived-parts.ts';

const COLS = 1024;
const ROWS = 1030; // 1,024 of them are 4 MiB as f32

const signed = (row: number, col: number) => ((row * 37 + col * 11) % 255) - 127;

/** A checkpoint of one tensor, and how many rows each of its reads asked for. */
function checkpointOf(dtype: WeightDtype, bytes: Uint8Array<ArrayBuffer>) {
  const info: TensorInfo = {
    name: 'head',
    shape: [ROWS, COLS],
    dtype,
    file: 'f',
    offsetBytes: 0,
    sizeBytes: bytes.length,
  };
  const counts: number[] = [];
  const read: Checkpoint['read'] = async (_, { rowStart = 0, rowCount = ROWS } = {}) => {
    counts.push(rowCount);
    const rowBytes = bytes.length / ROWS;
    return { info, bytes: bytes.subarray(rowStart * rowBytes, (rowStart + rowCount) * rowBytes) } as never;
  };
  const checkpoint = { label: 'c', tensor: () => info, read } as unknown as Checkpoint;
  return { checkpoint, counts };
}

function floats(): Uint8Array<ArrayBuffer> {
  const values = Float32Array.from(
    { length: ROWS * COLS },
    (_, at) => signed(Math.floor(at / COLS), at % COLS) / 4,
  );
  return new Uint8Array(values.buffer);
}

/** Blocks of 32 signed bytes behind an f16 scale of 1/4. */
function blocks(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array((ROWS * COLS * 34) / 32);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < ROWS * COLS; at += 1) {
    const block = 34 * Math.floor(at / 32);
    view.setUint16(block, 0x3400, true);
    view.setInt8(block + 2 + (at % 32), signed(Math.floor(at / COLS), at % COLS));
  }
  return bytes;
}

test.each([
  ['F32', floats],
  ['Q8_0', blocks],
] as const)('the squares of the columns of %s are summed, few rows at a time', async (dtype, make) => {
  const { checkpoint, counts } = checkpointOf(dtype, make());
  const part = { tensor: 'head', rows: ROWS, cols: COLS, isSummed: true };
  const sums = await readDerivedPart(part, { checkpoint, signal: undefined });
  expect(counts).toEqual([1024, 6]);
  const wanted = new Float32Array(COLS);
  for (let col = 0; col < COLS; col += 1) {
    let sum = 0;
    for (let row = 0; row < ROWS; row += 1) sum += (signed(row, col) / 4) ** 2; // exact in f64
    wanted[col] = sum;
  }
  expect(sums).toEqual(wanted);
});
