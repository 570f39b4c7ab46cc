/** How matrices lie in GPU memory: as the file holds them, or quantised. One place for sizes and conversions. */
import { invariant } from '../errors.ts';
import {
  bf16ArrayToF32,
  f16ArrayToF32,
  f32ArrayToBf16,
  f32ArrayToF16,
  toF32,
  type WeightDtype,
} from './dtypes.ts';
import { packQuant, quantLayout, QUANT_BLOCK, unpackQuant, type QuantFormat } from './quant.ts';

export type MatrixFormat = 'f32' | 'f16' | 'bf16' | QuantFormat;

/** Weights that kernels load at once: a row's length is a multiple of it. */
const COLUMN_STEP: Readonly<Record<MatrixFormat, number>> = {
  f32: 4,
  f16: 8,
  bf16: 8,
  q8_0: QUANT_BLOCK,
  q4_0: QUANT_BLOCK,
};

/**
 * The format in which a matrix is kept: the wanted quantisation where rows divide into blocks, else the file's own
 * precision where kernels can load it, else f32.
 */
export function chooseFormat(dtype: WeightDtype, cols: number, quantize?: QuantFormat): MatrixFormat {
  const own: MatrixFormat = dtype === 'F16' ? 'f16' : dtype === 'BF16' ? 'bf16' : 'f32';
  const wanted = [...(quantize ? [quantize] : []), own];
  return wanted.find((format) => cols % COLUMN_STEP[format] === 0) ?? 'f32';
}

export function isQuantized(format: MatrixFormat): format is QuantFormat {
  return format === 'q8_0' || format === 'q4_0';
}

export interface MatrixLayout {
  readonly sizeBytes: number; // a multiple of 4
  readonly scalesOffsetBytes: number; // 0 when there are none
}

export function matrixLayout(format: MatrixFormat, rows: number, cols: number): MatrixLayout {
  if (isQuantized(format)) {
    const { sizeBytes, scaleOffsetBytes } = quantLayout(format, rows, cols);
    return { sizeBytes, scalesOffsetBytes: scaleOffsetBytes };
  }
  const elementBytes = format === 'f32' ? 4 : 2;
  return { sizeBytes: Math.ceil((rows * cols * elementBytes) / 4) * 4, scalesOffsetBytes: 0 };
}

/** Re-encodes a matrix read from a file. Returns the bytes themselves where nothing changes. */
export function encodeMatrix(
  dtype: WeightDtype,
  bytes: Uint8Array<ArrayBuffer>,
  format: MatrixFormat,
  rows: number,
  cols: number,
): Uint8Array<ArrayBuffer> {
  if ((format === 'f32' && dtype === 'F32') || (format === 'f16' && dtype === 'F16')) return bytes;
  if (format === 'bf16' && dtype === 'BF16') return bytes;
  const values = toF32(dtype, bytes);
  invariant(values.length === rows * cols, () => `${values.length} values for a matrix of ${rows} x ${cols}`);
  switch (format) {
    case 'f32':
      return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    case 'f16':
      return new Uint8Array(f32ArrayToF16(values).buffer);
    case 'bf16':
      return new Uint8Array(f32ArrayToBf16(values).buffer);
    default:
      return packQuant(format, values, rows, cols);
  }
}

/** The values that kernels see: [rows, cols] f32. */
export function decodeMatrix(
  format: MatrixFormat,
  bytes: Uint8Array<ArrayBuffer>,
  rows: number,
  cols: number,
): Float32Array<ArrayBuffer> {
  if (isQuantized(format)) return unpackQuant(format, bytes, rows, cols);
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  if (format === 'f32') return new Float32Array(aligned.buffer, aligned.byteOffset, rows * cols);
  const halves = new Uint16Array(aligned.buffer, aligned.byteOffset, rows * cols);
  return format === 'f16' ? f16ArrayToF32(halves) : bf16ArrayToF32(halves);
}
