/** Weights of ggml's coded formats are read exactly: an embedding has the values of the reference's decoder. */
import { expect, test } from 'vitest';
import { BUILT_IN_FORMATS, weightFormat } from '../weights/formats/index.ts';
import { FIRST_CODED } from './kernels.ts';
import { Bench, BUILDS } from './testing.ts';

const ROWS = 3;

const FORMATS = BUILT_IN_FORMATS.filter((name) => (weightFormat(name).simd ?? 0) >= FIRST_CODED);
const cases = BUILDS.flatMap((build) => FORMATS.map((format) => ({ build, format })));

/** All rows of a matrix as f32. */
function rowsOf(bench: Bench, format: number, w: number, s: number, cols: number): Float32Array {
  const y = bench.room(ROWS * cols);
  const ids = bench.put(Uint32Array.from({ length: ROWS }, (_, row) => row));
  bench.kernels.embedding(format, ids, w, s, y, ROWS, cols, 1, 0, ROWS);
  return bench.floats(y);
}

test.each(cases)('$build, $format: every value', ({ build, format }) => {
  const { block } = weightFormat(format);
  for (const cols of [block, 3 * block, 8 * block]) {
    const bench = new Bench(build);
    const table = bench.matrix(format, new Float32Array(ROWS * cols), ROWS, cols);
    const actual = rowsOf(bench, table.format, table.w, table.s, cols);
    const isSame = (value: number, i: number) => value === table.values[i]; // 0 is -0
    expect(actual.every(isSame), `${cols} columns`).toBe(true);
  }
});

test.each(BUILDS)('%s, mxfp4: every exponent whose weights are finite', (build) => {
  const cols = 32 * 84;
  const { planes, decode, simd } = weightFormat('mxfp4');
  const [quants, scales] = planes(ROWS, cols);
  const bytes = new Uint8Array(scales!.offsetBytes + scales!.sizeBytes);
  for (let i = 0; i < quants!.sizeBytes; i += 1) bytes[i] = 37 * i;
  for (let i = 0; i < scales!.sizeBytes; i += 1) bytes[scales!.offsetBytes + i] = i;
  const bench = new Bench(build);
  const w = bench.put(bytes);
  const actual = rowsOf(bench, simd!, w, w + scales!.offsetBytes, cols);
  const wanted = decode(bytes, ROWS, cols);
  expect(actual.every((value, i) => value === wanted[i])).toBe(true);
});
