/** Writes weights as quantising tools do, element by element, and tells the values that they stand for. */
import type { Dtype } from '../weights/dtypes.ts';

/** A tensor of a file that is being written. */
export interface WrittenTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A matrix as a tool writes it. */
export interface Encoded {
  /** Its tensors by what follows the module's name, such as `weight_scale`. */
  readonly parts: Readonly<Record<string, WrittenTensor>>;
  /** What they stand for, [rows, cols]. */
  readonly values: Float32Array<ArrayBuffer>;
}

/** Rounds a matrix [rows, cols] to what a layout holds. */
export type Encode = (values: Float32Array, rows: number, cols: number) => Encoded;

/** A tensor of whole numbers or floats. */
export function written(
  dtype: Dtype,
  shape: readonly number[],
  elements:
    | Uint8Array<ArrayBuffer>
    | Int8Array<ArrayBuffer>
    | Uint16Array<ArrayBuffer>
    | Int32Array<ArrayBuffer>
    | Float32Array<ArrayBuffer>,
): WrittenTensor {
  return { dtype, shape, bytes: new Uint8Array(elements.buffer) };
}

/** Values of the codes of E2M1: one sign bit, two of exponent, one of mantissa. */
const E2M1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6];
const FOUR_BITS = [...E2M1, ...E2M1.map((value) => -value)];

/** MXFP4 as in the files of gpt-oss: `blocks` [rows, cols / 32, 16] and `scales` [rows, cols / 32]; value 2^(e - 127). */
export const encodeMxfp4: Encode = (values, rows, cols) => {
  const groups = cols / 32;
  const blocks = new Uint8Array((rows * cols) / 2);
  const scales = new Uint8Array(rows * groups);
  const rounded = new Float32Array(rows * cols);
  for (let row = 0; row < rows; row += 1) {
    for (let group = 0; group < groups; group += 1) {
      const at = row * cols + 32 * group;
      const largest = Math.max(...values.subarray(at, at + 32).map(Math.abs), 2 ** -20);
      const exponent = Math.floor(Math.log2(largest)) - 2 + 127;
      scales[row * groups + group] = exponent;
      for (let i = at; i < at + 32; i += 1) {
        const code = nearest(FOUR_BITS, (values[i] ?? 0) / 2 ** (exponent - 127));
        rounded[i] = (FOUR_BITS[code] ?? 0) * 2 ** (exponent - 127);
        blocks[i >> 1] = (blocks[i >> 1] ?? 0) | (code << (4 * (i & 1)));
      }
    }
  }
  return {
    parts: {
      blocks: written('U8', [rows, groups, 16], blocks),
      scales: written('U8', [rows, groups], scales),
    },
    values: rounded,
  };
};

function nearest(table: readonly number[], value: number): number {
  let best = 0;
  for (const [code, each] of table.entries())
    if (Math.abs(each - value) < Math.abs((table[best] ?? 0) - value)) best = code;
  return best;
}

/** E4M3, from its definition: s eeee mmm, bias 7, no infinities; the codes of all ones are no numbers. */
export const E4M3 = Array.from({ length: 256 }, (_, code) => {
  const [sign, exponent, fraction] = [code >> 7 ? -1 : 1, (code >> 3) & 15, code & 7];
  if ((code & 127) === 127) return NaN;
  return sign * (exponent === 0 ? fraction / 8 / 64 : (1 + fraction / 8) * 2 ** (exponent - 7));
});

/** 8-bit floats with a scale for each block: `weight` and `weight_scale_inv`, as DeepSeek-V3 has them. */
export const encodeFp8 =
  (blockRows = 128, blockCols = 128, scaleName = 'weight_scale_inv'): Encode =>
  (values, rows, cols) => {
    const [gridRows, gridCols] = [Math.ceil(rows / blockRows), Math.ceil(cols / blockCols)];
    const scales = new Float32Array(gridRows * gridCols);
    const scaleOf = (i: number) =>
      Math.floor(Math.floor(i / cols) / blockRows) * gridCols + Math.floor((i % cols) / blockCols);
    for (const [i, value] of values.entries())
      scales[scaleOf(i)] = Math.max(scales[scaleOf(i)] ?? 0, Math.abs(value) / 448, 1e-9);
    const codes = Uint8Array.from(values, (value, i) => nearest(E4M3, value / (scales[scaleOf(i)] ?? 1)));
    return {
      parts: {
        weight: written('F8_E4M3', [rows, cols], codes),
        [scaleName]: written('F32', [gridRows, gridCols], scales),
      },
      values: Float32Array.from(codes, (code, i) => (E4M3[code] ?? NaN) * (scales[scaleOf(i)] ?? NaN)),
    };
  };
