/** Writes weights as quantising tools do, element by element, and tells the values that they stand for. */
import type { Dtype } from '../weights/dtypes.ts';
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from '../weights/half.ts';

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

/** MXFP4 of compressed-tensors: `weight_packed` [rows, cols / 2] and `weight_scale` [rows, cols / 32]. */
export const encodePackedMxfp4: Encode = (values, rows, cols) => {
  const { parts, values: rounded } = encodeMxfp4(values, rows, cols);
  const { blocks, scales } = parts;
  if (!blocks || !scales) throw new Error('MXFP4 has blocks and scales');
  return {
    parts: { weight_packed: { ...blocks, shape: [rows, cols / 2] }, weight_scale: scales },
    values: rounded,
  };
};

/** NVFP4 of compressed-tensors; weights are code * (scale / global), and what is in brackets is rounded to f32 before. */
export const encodeNvfp4: Encode = (values, rows, cols) => {
  const groups = cols / 16;
  const packed = new Uint8Array((rows * cols) / 2);
  const scales = new Uint8Array(rows * groups);
  const rounded = new Float32Array(rows * cols);
  const global = Math.fround((448 * 6) / Math.max(...values.map(Math.abs)));
  for (let group = 0; group < scales.length; group += 1) {
    const own = values.subarray(16 * group, 16 * group + 16);
    const code = nearest(E4M3.slice(0, 127), (Math.max(...own.map(Math.abs)) / 6) * global);
    const scale = Math.fround((E4M3[code] ?? NaN) / global);
    scales[group] = code;
    for (let i = 16 * group; i < 16 * group + 16; i += 1) {
      const level = nearest(FOUR_BITS, (values[i] ?? 0) / scale);
      rounded[i] = (FOUR_BITS[level] ?? 0) * scale;
      packed[i >> 1] = (packed[i >> 1] ?? 0) | (level << (4 * (i & 1)));
    }
  }
  return {
    parts: {
      weight_packed: written('U8', [rows, cols / 2], packed),
      weight_scale: written('F8_E4M3', [rows, groups], scales),
      weight_global_scale: written('F32', [1], Float32Array.of(global)),
      input_global_scale: written('F32', [1], Float32Array.of(3)), // of activations
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

/** Codes of four bits, with a scale and a zero for each group of columns of a row. */
interface Nibbles {
  readonly codes: Uint8Array; // [rows, cols]
  readonly scales: WrittenTensor; // [rows, groups]
  readonly zeros: Uint8Array; // [rows, groups]
  readonly groups: number;
  readonly values: Float32Array<ArrayBuffer>;
}

/** How a matrix is rounded to four bits. */
export interface NibbleOptions {
  readonly bits?: 4 | 8; // default: 4
  readonly group?: number; // default: all columns
  readonly zeros?: boolean; // default: all zeros are 2^(bits - 1)
  readonly scales?: 'F16' | 'BF16'; // default: F16
  readonly isOrdered?: boolean; // columns are shuffled before groups are made, which are then in `g_idx`
}

/**
 * Quantises with columns in another order, and puts codes and values back into theirs, as tools do for `desc_act`. Values of
 * several groups are rounded to the type of the scales, as these tools compute them.
 */
function roundOrdered(
  values: Float32Array,
  [rows, cols]: readonly [number, number],
  options: NibbleOptions,
): Nibbles & { readonly groupOf: Int32Array<ArrayBuffer> } {
  const order = Array.from({ length: cols }, (_, col) => col);
  if (options.isOrdered === true) order.sort((a, b) => ((a * 7919) % 1009) - ((b * 7919) % 1009));
  const shuffled = values.map((_, i) => values[i - (i % cols) + (order[i % cols] ?? 0)] ?? 0);
  const rounded = roundToNibbles(shuffled, [rows, cols], options);
  const codes = new Uint8Array(rows * cols);
  const back = new Float32Array(rows * cols);
  const groupOf = new Int32Array(cols);
  const isHalf = rounded.scales.dtype === 'F16';
  const isComputed =
    (options.isOrdered === true && rounded.groups > 1) || (options.bits === 8 && options.zeros === true);
  for (const [at, col] of order.entries()) {
    groupOf[col] = Math.floor((at * rounded.groups) / cols);
    for (let row = 0; row < rows; row += 1) {
      const value = rounded.values[row * cols + at] ?? 0;
      const half = isHalf ? f16ToF32(f32ToF16(value)) : bf16ToF32(f32ToBf16(value));
      codes[row * cols + col] = rounded.codes[row * cols + at] ?? 0;
      back[row * cols + col] = isComputed ? half : value;
    }
  }
  return { ...rounded, codes, values: back, groupOf };
}

function roundToNibbles(
  values: Float32Array,
  [rows, cols]: readonly [number, number],
  { group = cols, zeros: hasZeros = false, scales: dtype = 'F16', bits: width = 4 }: NibbleOptions,
): Nibbles {
  const groups = cols / group;
  const largest = 2 ** width - 1;
  const bits = new Uint16Array(rows * groups);
  const zeros = new Uint8Array(rows * groups).fill(2 ** (width - 1));
  const codes = new Uint8Array(rows * cols);
  const rounded = new Float32Array(rows * cols);
  for (let at = 0; at < rows * groups; at += 1) {
    const own = values.subarray(at * group, (at + 1) * group);
    const [low, high] = [Math.min(...own, 0), Math.max(...own, 0)];
    const wanted = hasZeros ? (high - low) / largest || 1 : Math.max(high, -low) / (largest / 2) || 1;
    bits[at] = dtype === 'F16' ? f32ToF16(wanted) : f32ToBf16(wanted);
    const scale = dtype === 'F16' ? f16ToF32(bits[at] ?? 0) : bf16ToF32(bits[at] ?? 0);
    if (hasZeros) zeros[at] = Math.max(1, Math.min(largest, Math.round(-low / scale)));
    for (let i = at * group; i < (at + 1) * group; i += 1) {
      const zero = zeros[at] ?? 0;
      const code = Math.max(0, Math.min(largest, Math.round((values[i] ?? 0) / scale) + zero));
      codes[i] = code;
      rounded[i] = scale * (code - zero);
    }
  }
  return { codes, scales: written(dtype, [rows, groups], bits), zeros, groups, values: rounded };
}

/** compressed-tensors, pack-quantized: columns in words; zero points with rows in words. */
export const encodePacked =
  (options: NibbleOptions = {}): Encode =>
  (values, rows, cols) => {
    const nibbles = roundOrdered(values, [rows, cols], options);
    const { codes, scales, zeros, groups, groupOf, values: rounded } = nibbles;
    const { bits = 4 } = options;
    const per = 32 / bits;
    const packed = new Int32Array((rows * cols) / per);
    for (const [i, code] of codes.entries()) {
      const at = Math.floor(i / per);
      packed[at] = (packed[at] ?? 0) | (code << (bits * (i % per)));
    }
    const zeroRows = Math.ceil(rows / per);
    const packedZeros = new Int32Array(zeroRows * groups);
    for (const [i, zero] of zeros.entries()) {
      const [row, group] = [Math.floor(i / groups), i % groups];
      const at = Math.floor(row / per) * groups + group;
      packedZeros[at] = (packedZeros[at] ?? 0) | (zero << (bits * (row % per)));
    }
    const parts = {
      weight_packed: written('I32', [rows, cols / per], packed),
      weight_scale: scales,
      weight_shape: written('I64', [2], new Uint8Array(16)),
      ...(options.isOrdered && { weight_g_idx: written('I32', [cols], groupOf) }),
      ...(options.zeros && { weight_zero_point: written('I32', [zeroRows, groups], packedZeros) }),
    };
    return { parts, values: rounded };
  };

/** compressed-tensors, int-quantized: signed bytes and zero points, each as it is. */
export const encodeSigned8 =
  (options: NibbleOptions = {}): Encode =>
  (values, rows, cols) => {
    const rounded = roundOrdered(values, [rows, cols], { ...options, bits: 8, zeros: true });
    const signed = (codes: Uint8Array) => Int8Array.from(codes, (code) => code - 128);
    const parts = {
      weight: written('I8', [rows, cols], signed(rounded.codes)),
      weight_scale: rounded.scales,
      weight_zero_point: written('I8', [rows, rounded.groups], signed(rounded.zeros)),
    };
    return { parts, values: rounded.values };
  };

/** GPTQ: columns in words along the first dimension; zeros with rows in words, less `less`. */
export const encodeGptq =
  (
    { bias: hasBias = false, ...options }: NibbleOptions & { readonly bias?: boolean } = {},
    less = 1,
  ): Encode =>
  (values, rows, cols) => {
    const nibbles = roundOrdered(values, [rows, cols], options);
    const { codes, zeros, groups, groupOf } = nibbles;
    const { bits = 4 } = options;
    const per = 32 / bits;
    const qweight = new Int32Array((rows * cols) / per);
    for (const [i, code] of codes.entries()) {
      const [row, col] = [Math.floor(i / cols), i % cols];
      const at = Math.floor(col / per) * rows + row;
      qweight[at] = (qweight[at] ?? 0) | (code << (bits * (col % per)));
    }
    const qzeros = new Int32Array((rows * groups) / per);
    for (const [i, zero] of zeros.entries()) {
      const [row, group] = [Math.floor(i / groups), i % groups];
      const at = (group * rows) / per + Math.floor(row / per);
      qzeros[at] = (qzeros[at] ?? 0) | ((zero - less) << (bits * (row % per)));
    }
    const parts = {
      ...(hasBias && { bias: written('F16', [rows], new Uint16Array(rows)) }),
      qweight: written('I32', [cols / per, rows], qweight),
      qzeros: written('I32', [groups, rows / per], qzeros),
      scales: turned(nibbles.scales),
      g_idx: written('I32', [cols], groupOf),
    };
    return { parts, values: nibbles.values };
  };

/** Of the eight rows of a word of AWQ, from the lowest bits on. */
const AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7];

/** AWQ: eight rows in a word, in that order. */
export const encodeAwq =
  (options: NibbleOptions = {}): Encode =>
  (values, rows, cols) => {
    const nibbles = roundToNibbles(values, [rows, cols], { zeros: true, ...options });
    const { codes, zeros, groups } = nibbles;
    const pack = (source: Uint8Array, width: number) => {
      const words = new Int32Array((rows * width) / 8);
      for (let at = 0; at < words.length; at += 1) {
        const [col, first] = [Math.floor((8 * at) / rows), (8 * at) % rows];
        for (const [slot, row] of AWQ_ORDER.entries())
          words[at] = (words[at] ?? 0) | ((source[(first + row) * width + col] ?? 0) << (4 * slot));
      }
      return written('I32', [width, rows / 8], words);
    };
    const parts = { qweight: pack(codes, cols), qzeros: pack(zeros, groups), scales: turned(nibbles.scales) };
    return { parts, values: nibbles.values };
  };

/** [cols, rows] of [rows, cols] 16-bit elements. */
function turned({ dtype, shape: [rows = 0, cols = 0], bytes }: WrittenTensor): WrittenTensor {
  const from = new Uint16Array(bytes.buffer);
  const to = Uint16Array.from(from, (_, i) => from[(i % rows) * cols + Math.floor(i / rows)] ?? 0);
  return written(dtype, [cols, rows], to);
}

/** Signed bytes with a scale for each group of columns of a row, as they are (`weight`) or with 128 added, four in a word. */
export const encodeInt8 =
  ({ group, packed = false }: { readonly group?: number; readonly packed?: boolean } = {}): Encode =>
  (values, rows, cols) => {
    const width = group ?? cols;
    const groups = Math.ceil(cols / width);
    const scales = new Float32Array(rows * groups);
    const scaleOf = (i: number) => Math.floor(i / cols) * groups + Math.floor((i % cols) / width);
    for (const [i, value] of values.entries())
      scales[scaleOf(i)] = Math.max(scales[scaleOf(i)] ?? 0, Math.abs(value) / 127, 1e-9);
    const bits = Uint16Array.from(scales, f32ToBf16);
    const valueOf = (i: number) => bf16ToF32(bits[scaleOf(i)] ?? 0);
    const codes = Int8Array.from(values, (value, i) =>
      Math.max(-128, Math.min(127, Math.round(value / valueOf(i)))),
    );
    const parts = packed
      ? {
          weight_packed: written(
            'I32',
            [rows, cols / 4],
            Uint8Array.from(codes, (code) => code + 128),
          ),
        }
      : { weight: written('I8', [rows, cols], codes) };
    return {
      parts: { ...parts, weight_scale: written('BF16', [rows, groups], bits) },
      values: Float32Array.from(codes, (code, i) => code * valueOf(i)),
    };
  };
