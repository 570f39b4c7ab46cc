/** Element types of weight files, and conversion of their elements. */
import { bf16ArrayToF32, f16ArrayToF32 } from './half.ts';

/** Bytes per element, by the type's name in safetensors 0.8. Elements smaller than a byte are packed without gaps. */
export const DTYPE_BYTES = {
  F4: 0.5,
  F6_E2M3: 0.75,
  F6_E3M2: 0.75,
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
  C64: 8,
} as const;

/** An element type of safetensors. */
export type Dtype = keyof typeof DTYPE_BYTES;

/** Whether safetensors has an element type of this name. */
export function isDtype(name: string): name is Dtype {
  return Object.hasOwn(DTYPE_BYTES, name);
}

/** A block type that indexes grids; in memory it is unpacked (src/weights/grid-blocks.ts). */
function gridded(sizeBytes: number) {
  return { block: 256, sizeBytes, unpackedBytes: 140, halves: [0] } as const;
}

/**
 * Block types: so many weights of a row are stored in so many bytes, with their scales. A weight format of the same name in lower
 * case reads them (`repack`). `halves` are the places of the f16 scales and minimums in a block;
 * `unpackedBytes` is what a block takes in memory, where that is not about its size. Those of ggml are in GGUF files;
 * as the others, rows of quantised safetensors are put together from tensors in which every number has been checked.
 */
export const BLOCK_DTYPES = {
  Q4_0: { block: 32, sizeBytes: 18, halves: [0] },
  Q4_1: { block: 32, sizeBytes: 20, halves: [0, 2] },
  Q5_0: { block: 32, sizeBytes: 22, halves: [0] },
  Q5_1: { block: 32, sizeBytes: 24, halves: [0, 2] },
  Q8_0: { block: 32, sizeBytes: 34, halves: [0] },
  Q2_K: { block: 256, sizeBytes: 84, halves: [80, 82] },
  Q3_K: { block: 256, sizeBytes: 110, halves: [108] },
  Q4_K: { block: 256, sizeBytes: 144, halves: [0, 2] },
  Q5_K: { block: 256, sizeBytes: 176, halves: [0, 2] },
  Q6_K: { block: 256, sizeBytes: 210, halves: [208] },
  IQ4_NL: { block: 32, sizeBytes: 18, halves: [0] },
  IQ4_XS: { block: 256, sizeBytes: 136, halves: [0] },
  IQ3_S: gridded(110),
  IQ3_XXS: gridded(98),
  IQ2_S: gridded(82),
  IQ2_XS: gridded(74),
  IQ2_XXS: gridded(66),
  IQ1_M: { ...gridded(56), halves: [] },
  IQ1_S: gridded(50),
  TQ2_0: { block: 256, sizeBytes: 66, halves: [64] },
  TQ1_0: { block: 256, sizeBytes: 54, unpackedBytes: 68, halves: [52] },
  MXFP4: { block: 32, sizeBytes: 17, halves: [] },
  NVFP4: { block: 64, sizeBytes: 36, halves: [] },
  F4_G16: { block: 64, sizeBytes: 40, halves: [] },
  F8_G128: { block: 32, sizeBytes: 36, halves: [] },
  I8_G128: { block: 32, sizeBytes: 36, halves: [] },
  U4_G32: { block: 32, sizeBytes: 20, halves: [] },
} as const;

/** A block type. */
export type BlockDtype = keyof typeof BLOCK_DTYPES;

/** Bytes of a block type in memory for `sizeBytes` of them in a file, where these are unpacked when they are loaded. */
export function unpackedBytes(dtype: StoredDtype, sizeBytes: number): number | undefined {
  if (!isBlockDtype(dtype)) return undefined;
  const type = BLOCK_DTYPES[dtype];
  return 'unpackedBytes' in type ? (sizeBytes / type.sizeBytes) * type.unpackedBytes : undefined;
}

/**
 * Bits that a weight takes in memory at least, in a file of this quantisation (`IQ2_M`, `UD-IQ1_S`); 0: about as many as in the
 * file. Such files have further types, which take more.
 */
export function leastBits(quantisation: string): number {
  const series = /IQ\d/.exec(quantisation)?.[0];
  const types = Object.entries(BLOCK_DTYPES).filter(([name]) => series && name.startsWith(series));
  return Math.max(
    0,
    ...types.map(([, type]) => ('unpackedBytes' in type ? (8 * type.unpackedBytes) / type.block : 0)),
  );
}

/** An element type, or a type of blocks. */
export type StoredDtype = Dtype | BlockDtype;

/** Whether a type stores weights in blocks. */
export function isBlockDtype(dtype: string): dtype is BlockDtype {
  return Object.hasOwn(BLOCK_DTYPES, dtype);
}

/** Types of floats from which weights can be read. */
export type FloatDtype = 'F32' | 'F16' | 'BF16';

/** Types from which weights can be read. Integers are excluded: those of quantised files need separate scales. */
export type WeightDtype = FloatDtype | BlockDtype;

/** Whether weights can be read from a type. */
export function isWeightDtype(dtype: StoredDtype): dtype is WeightDtype {
  return isFloatDtype(dtype) || isBlockDtype(dtype);
}

/** Whether a type is one of the floats from which weights can be read. */
export function isFloatDtype(dtype: StoredDtype): dtype is FloatDtype {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}

/** Types that `toF32` supports. */
export type NumericDtype = Exclude<Dtype, 'C64' | `F${4 | 6 | 8}_${string}` | 'F4'>;

/** The elements of little-endian `bytes` as f32. 64-bit types and 32-bit integers may round. */
export function toF32(dtype: NumericDtype, bytes: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const view = elements(dtype, bytes);
  if (dtype === 'F16' && view instanceof Uint16Array) return f16ArrayToF32(view);
  if (dtype === 'BF16' && view instanceof Uint16Array) return bf16ArrayToF32(view);
  if (view instanceof Float32Array) return view;
  return Float32Array.from(view as ArrayLike<number | bigint>, Number);
}

const VIEWS = {
  BOOL: Uint8Array,
  U8: Uint8Array,
  I8: Int8Array,
  U16: Uint16Array,
  I16: Int16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  U32: Uint32Array,
  I32: Int32Array,
  F32: Float32Array,
  U64: BigUint64Array,
  I64: BigInt64Array,
  F64: Float64Array,
} as const satisfies Record<NumericDtype, unknown>;

/** A typed view of the bytes; they are copied only if they are not aligned to the element size. */
function elements(dtype: NumericDtype, bytes: Uint8Array<ArrayBuffer>) {
  const View = VIEWS[dtype];
  const aligned = bytes.byteOffset % DTYPE_BYTES[dtype] === 0 ? bytes : bytes.slice();
  return new View(aligned.buffer, aligned.byteOffset, aligned.byteLength / DTYPE_BYTES[dtype]);
}

/**
 * Index of the first element that is NaN or infinite; of blocks, the first weight of one whose scale is. -1 if there is none or the
 * type has no such values.
 */
export function findNonFinite(dtype: StoredDtype, bytes: Uint8Array<ArrayBuffer>): number {
  switch (dtype) {
    case 'F16':
      return findExponent(elements(dtype, bytes) as Uint16Array, 0x7c00);
    case 'BF16':
      return findExponent(elements(dtype, bytes) as Uint16Array, 0x7f80);
    case 'F32':
      return findExponent(elements('U32', bytes) as Uint32Array, 0x7f80_0000);
    case 'F64':
      return (elements(dtype, bytes) as Float64Array).findIndex((value) => !Number.isFinite(value));
    case 'F8_E4M3':
      return findByte(bytes, 0x7f);
    default:
      return isBlockDtype(dtype) ? findBlock(dtype, bytes) : -1;
  }
}

/** Of MXFP4: above it the largest code, 12 * 2^(e - 128), is no f32, and 255 is a NaN. */
const MOST_EXPONENT = 252;

/** Scales are not aligned: the byte with an f16's exponent is looked at. */
function findBlock(dtype: BlockDtype, bytes: Uint8Array): number {
  const { block, sizeBytes, halves } = BLOCK_DTYPES[dtype];
  for (let at = 0; at < bytes.length; at += sizeBytes) {
    const isBad =
      halves.some((half) => ((bytes[at + half + 1] ?? 0) & 0x7c) === 0x7c) ||
      (dtype === 'MXFP4' && (bytes[at] ?? 0) > MOST_EXPONENT) ||
      (dtype === 'IQ1_M' && isNoScale(bytes, at)) ||
      (dtype === 'F4_G16' && hasNoScale(bytes, at));
    if (isBad) return (at / sizeBytes) * block;
  }
  return -1;
}

/** Of IQ1_M: whether the exponent is that of NaN. The highest bits of the last two of four words belong to it. */
function isNoScale(bytes: Uint8Array, at: number): boolean {
  return ((bytes[at + 53] ?? 0) & 0xc0) === 0xc0 && ((bytes[at + 55] ?? 0) & 0x70) === 0x70;
}

/** Of F4_G16: whether the factor is no finite number, or one of four scales a NaN. */
function hasNoScale(bytes: Uint8Array, at: number): boolean {
  const isFinite = ((bytes[at + 3] ?? 0) & 0x7f) !== 0x7f || ((bytes[at + 2] ?? 0) & 0x80) === 0;
  return !isFinite || findByte(bytes.subarray(at + 4, at + 8), 0x7f) >= 0;
}

function findByte(bytes: Uint8Array, mask: number): number {
  for (let i = 0; i < bytes.length; i++) if (((bytes[i] ?? 0) & mask) === mask) return i;
  return -1;
}

function findExponent(words: Uint16Array | Uint32Array, mask: number): number {
  for (let i = 0; i < words.length; i++) if (((words[i] ?? 0) & mask) === mask) return i;
  return -1;
}
