/**
 * Q8_0 and Q4_0: blocks of 32 weights of one row that share a scale. The values are ggml's; the place of the bits is
 * ours. A ggml block is 2 bytes of f16 scale and then its quants, so quants lie at odd places for 32-bit loads. Here a
 * matrix is taken apart: first all quants, row after row, then all scales.
 *
 *   quants  q8_0: 32 signed bytes a block      q4_0: 16 bytes a block, byte j = element j | element j + 16 << 4
 *   scales  f16, two to a 32-bit word, in the order of the blocks
 */
import { AtomoeError, invariant } from '../errors.ts';
import { f16ToF32, f32ToF16 } from './dtypes.ts';

export type QuantFormat = 'q8_0' | 'q4_0';

/** Weights that share a scale. */
export const QUANT_BLOCK = 32;

/** Bytes of the quants of a block. A ggml block has two more. */
const QUANT_BYTES = { q8_0: 32, q4_0: 16 } as const satisfies Record<QuantFormat, number>;
const SCALE_BYTES = 2;

export interface QuantLayout {
  readonly quantBytes: number;
  readonly scaleOffsetBytes: number; // a multiple of 16
  readonly sizeBytes: number; // a multiple of 4
}

/** Where a [rows, cols] matrix lies. `cols` is a multiple of 32. */
export function quantLayout(format: QuantFormat, rows: number, cols: number): QuantLayout {
  invariant(cols % QUANT_BLOCK === 0, () => `${format}: ${cols} columns are no multiple of ${QUANT_BLOCK}`);
  const blocks = (rows * cols) / QUANT_BLOCK;
  const quantBytes = blocks * QUANT_BYTES[format];
  return { quantBytes, scaleOffsetBytes: quantBytes, sizeBytes: quantBytes + Math.ceil(blocks / 2) * 4 };
}

/** Bytes of the same matrix in ggml's interleaved blocks. */
export function ggmlBytes(format: QuantFormat, rows: number, cols: number): number {
  return ((rows * cols) / QUANT_BLOCK) * (QUANT_BYTES[format] + SCALE_BYTES);
}

/**
 * Quantises a matrix by ggml's reference rule.
 *
 * @param values - [rows, cols] f32
 * @throws {AtomoeError} non-finite - a block whose scale f16 cannot hold
 */
export function packQuant(
  format: QuantFormat,
  values: Float32Array,
  rows: number,
  cols: number,
): Uint8Array<ArrayBuffer> {
  return format === 'q8_0' ? packQ8_0(values, rows, cols) : packQ4_0(values, rows, cols);
}

/** d = max |x| / 127, q = round(x / d). See `packQuant`. */
export function packQ8_0(values: Float32Array, rows: number, cols: number): Uint8Array<ArrayBuffer> {
  const { packed, quants, scales, blocks } = emptyMatrix('q8_0', values.length, rows, cols);
  const signed = new Int8Array(quants.buffer, quants.byteOffset, quants.byteLength);
  for (let block = 0; block < blocks; block++) {
    const first = block * QUANT_BLOCK;
    let largest = 0;
    for (let i = first; i < first + QUANT_BLOCK; i++) {
      const size = Math.abs(values[i] ?? 0);
      if (size > largest) largest = size;
    }
    const scale = Math.fround(largest / 127);
    scales[block] = scaleBits('q8_0', scale, block, cols);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    for (let i = first; i < first + QUANT_BLOCK; i++) {
      const steps = Math.fround((values[i] ?? 0) * inverse);
      // Rounds half away from zero, as C's roundf: the sum is exact in f64, and storing it drops the fraction.
      signed[i] = steps < 0 ? steps - 0.5 : steps + 0.5;
    }
  }
  return packed;
}

/** d = (x of the largest |x|) / -8, q = trunc(x / d + 8.5), at most 15. See `packQuant`. */
export function packQ4_0(values: Float32Array, rows: number, cols: number): Uint8Array<ArrayBuffer> {
  const { packed, quants, scales, blocks } = emptyMatrix('q4_0', values.length, rows, cols);
  const half = QUANT_BLOCK / 2;
  for (let block = 0; block < blocks; block++) {
    const first = block * QUANT_BLOCK;
    let extreme = 0; // signed
    for (let i = first; i < first + QUANT_BLOCK; i++) {
      const value = values[i] ?? 0;
      if (Math.abs(value) > Math.abs(extreme)) extreme = value;
    }
    const scale = Math.fround(extreme / -8);
    scales[block] = scaleBits('q4_0', scale, block, cols);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    for (let j = 0; j < half; j++) {
      const low = quantQ4(values[first + j] ?? 0, inverse);
      const high = quantQ4(values[first + half + j] ?? 0, inverse);
      quants[block * half + j] = low | (high << 4);
    }
  }
  return packed;
}

/** 0 to 15, for -8 to 7 scales. In f32, step by step, as the reference. */
function quantQ4(value: number, inverse: number): number {
  return Math.min(15, Math.trunc(Math.fround(Math.fround(value * inverse) + 8.5)));
}

/**
 * Rearranges ggml blocks; no value changes.
 *
 * @param ggmlBlocks - the raw blocks of [rows, cols], row after row
 */
export function packGgmlBlocks(
  format: QuantFormat,
  ggmlBlocks: Uint8Array,
  rows: number,
  cols: number,
): Uint8Array<ArrayBuffer> {
  const wanted = ggmlBytes(format, rows, cols);
  invariant(
    ggmlBlocks.byteLength === wanted,
    () => `${format}: ${ggmlBlocks.byteLength} bytes, not ${wanted}`,
  );
  const { packed, quants, scales, blocks } = emptyMatrix(format, rows * cols, rows, cols);
  const quantBytes = QUANT_BYTES[format];
  for (let block = 0; block < blocks; block++) {
    const from = block * (SCALE_BYTES + quantBytes);
    scales[block] = (ggmlBlocks[from] ?? 0) | ((ggmlBlocks[from + 1] ?? 0) << 8);
    const body = ggmlBlocks.subarray(from + SCALE_BYTES, from + SCALE_BYTES + quantBytes);
    quants.set(body, block * quantBytes);
  }
  return packed;
}

/** The values of a packed matrix: [rows, cols] f32. */
export function unpackQuant(
  format: QuantFormat,
  packed: Uint8Array<ArrayBuffer>,
  rows: number,
  cols: number,
): Float32Array<ArrayBuffer> {
  const { quants, scales, blocks } = sectionsOf(format, packed, rows, cols);
  const values = new Float32Array(rows * cols);
  for (let block = 0; block < blocks; block++) {
    const scale = f16ToF32(scales[block] ?? 0);
    const first = block * QUANT_BLOCK;
    for (let j = 0; j < QUANT_BLOCK; j++) {
      const quant = format === 'q8_0' ? quantQ8_0(quants, first + j) : quantQ4_0(quants, block, j);
      values[first + j] = scale * quant;
    }
  }
  return values;
}

function quantQ8_0(quants: Uint8Array, element: number): number {
  return ((quants[element] ?? 0) << 24) >> 24; // sign-extend
}

function quantQ4_0(quants: Uint8Array, block: number, j: number): number {
  const half = QUANT_BLOCK / 2;
  const byte = quants[block * half + (j % half)] ?? 0;
  return (j < half ? byte & 15 : byte >> 4) - 8;
}

interface Sections {
  readonly packed: Uint8Array<ArrayBuffer>;
  readonly quants: Uint8Array<ArrayBuffer>;
  readonly scales: Uint16Array<ArrayBuffer>;
  readonly blocks: number;
}

function emptyMatrix(format: QuantFormat, elements: number, rows: number, cols: number): Sections {
  invariant(elements === rows * cols, () => `${format}: ${elements} values, not ${rows} x ${cols}`);
  return sectionsOf(format, new Uint8Array(quantLayout(format, rows, cols).sizeBytes), rows, cols);
}

function sectionsOf(
  format: QuantFormat,
  packed: Uint8Array<ArrayBuffer>,
  rows: number,
  cols: number,
): Sections {
  const { quantBytes, scaleOffsetBytes, sizeBytes } = quantLayout(format, rows, cols);
  invariant(packed.byteLength === sizeBytes, () => `${format}: ${packed.byteLength} bytes, not ${sizeBytes}`);
  const blocks = (rows * cols) / QUANT_BLOCK;
  return {
    packed,
    quants: packed.subarray(0, quantBytes),
    scales: new Uint16Array(packed.buffer, packed.byteOffset + scaleOffsetBytes, blocks),
    blocks,
  };
}

function scaleBits(format: QuantFormat, scale: number, block: number, cols: number): number {
  const bits = f32ToF16(scale);
  if ((bits & 0x7c00) !== 0x7c00) return bits;
  const row = Math.floor((block * QUANT_BLOCK) / cols);
  throw new AtomoeError(
    'non-finite',
    `row ${row} cannot be stored as ${format}: a block needs the scale ${scale}, f16 holds at most 65504; load the ` +
      `model without quantize`,
  );
}
