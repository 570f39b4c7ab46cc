/** Element types of weight files, and exact conversions between the 16-bit floats and f32. */

/** Bytes per element, by the name that safetensors 0.8 gives the type. Elements below a byte lie without a gap. */
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

export type Dtype = keyof typeof DTYPE_BYTES;

export function isDtype(name: string): name is Dtype {
  return Object.hasOwn(DTYPE_BYTES, name);
}

const floatBits = new Float32Array(1);
const wordBits = new Uint32Array(floatBits.buffer);

/** The f16 with these bits, as a number. Exact. */
export function f16ToF32(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24; // zero and subnormals
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The bits of the f16 nearest to an f32, ties to even. Beyond 65520 it is infinity; a NaN stays one. */
export function f32ToF16(value: number): number {
  floatBits[0] = value;
  const word = wordBits[0] ?? 0;
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | 0x7e00;
  if (magnitude >= 0x477f_f000) return sign | 0x7c00; // 65520, half a step above the largest f16
  if (magnitude < 0x3880_0000) {
    // Below 2^-14 the f16 is a multiple of 2^-24. Adding 0.5 to an f32 rounds it to exactly such a multiple.
    floatBits[0] = Math.abs(value) + 0.5;
    return sign | ((wordBits[0] ?? 0) - 0x3f00_0000);
  }
  // Drop 13 fraction bits, rounding half to even, and change the exponent's bias from 127 to 15.
  const isOdd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - ((127 - 15) << 23) + 0xfff + isOdd) >>> 13);
}

/** The bf16 with these bits, as a number. Exact. */
export function bf16ToF32(bits: number): number {
  wordBits[0] = bits << 16;
  return floatBits[0] ?? 0;
}

/** The bits of the bf16 nearest to an f32, ties to even. A NaN stays one. */
export function f32ToBf16(value: number): number {
  floatBits[0] = value;
  const word = wordBits[0] ?? 0;
  if ((word & 0x7fff_ffff) > 0x7f80_0000) return (word >>> 16) | 0x40;
  return ((word + 0x7fff + ((word >>> 16) & 1)) >>> 16) & 0xffff;
}

let f16Table: Float32Array | undefined; // all 65536 values, 256 KiB, made when first needed

/** @returns a new array; [n] f16 bits to [n] f32 */
export function f16ArrayToF32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  f16Table ??= Float32Array.from({ length: 0x1_0000 }, (_, i) => f16ToF32(i));
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = f16Table[bits[i] ?? 0] ?? 0;
  return values;
}

/** @returns a new array; [n] bf16 bits to [n] f32 */
export function bf16ArrayToF32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(bits.length);
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < bits.length; i++) words[i] = (bits[i] ?? 0) << 16;
  return values;
}

/** @returns a new array; [n] f32 to [n] f16 bits */
export function f32ArrayToF16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = f32ToF16(values[i] ?? 0);
  return bits;
}

/** @returns a new array; [n] f32 to [n] bf16 bits */
export function f32ArrayToBf16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = f32ToBf16(values[i] ?? 0);
  return bits;
}

/** Types of weights. Integers never are: a quantised file's integers mean nothing without their scales. */
export type WeightDtype = 'F32' | 'F16' | 'BF16';

export function isWeightDtype(dtype: Dtype): dtype is WeightDtype {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}

/** Types whose elements `toF32` can give. */
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

/** A typed view of the bytes; they are copied only when they do not lie at a multiple of the element's size. */
function elements(dtype: NumericDtype, bytes: Uint8Array<ArrayBuffer>) {
  const View = VIEWS[dtype];
  const aligned = bytes.byteOffset % DTYPE_BYTES[dtype] === 0 ? bytes : bytes.slice();
  return new View(aligned.buffer, aligned.byteOffset, aligned.byteLength / DTYPE_BYTES[dtype]);
}

/** Index of the first element that is NaN or infinite; -1 when there is none or the type has none. */
export function findNonFinite(dtype: Dtype, bytes: Uint8Array<ArrayBuffer>): number {
  switch (dtype) {
    case 'F16':
      return findExponent(elements(dtype, bytes) as Uint16Array, 0x7c00);
    case 'BF16':
      return findExponent(elements(dtype, bytes) as Uint16Array, 0x7f80);
    case 'F32':
      return findExponent(elements('U32', bytes) as Uint32Array, 0x7f80_0000);
    case 'F64':
      return (elements(dtype, bytes) as Float64Array).findIndex((value) => !Number.isFinite(value));
    default:
      return -1;
  }
}

function findExponent(words: Uint16Array | Uint32Array, mask: number): number {
  for (let i = 0; i < words.length; i++) if (((words[i] ?? 0) & mask) === mask) return i;
  return -1;
}
