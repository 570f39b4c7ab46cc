/** The small floats: f16 (IEEE 754 binary16) and bf16 (the upper half of an f32), f32 rounded to them, and f8 (E4M3). */
const floatBits = new Float32Array(1);
const wordBits = new Uint32Array(floatBits.buffer);

/** The value of an f16, given its bits. Exact. */
export function f16ToF32(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24; // zero and subnormals
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The bits of the f16 nearest to an f32, ties to even. From 65520 on it is infinity; NaN stays NaN. */
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

/** The value of a bf16, given its bits. Exact. */
export function bf16ToF32(bits: number): number {
  wordBits[0] = bits << 16;
  return floatBits[0] ?? 0;
}

/** The bits of the bf16 nearest to an f32, ties to even. NaN stays NaN. */
export function f32ToBf16(value: number): number {
  floatBits[0] = value;
  const word = wordBits[0] ?? 0;
  if ((word & 0x7fff_ffff) > 0x7f80_0000) return (word >>> 16) | 0x40;
  return ((word + 0x7fff + ((word >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The value of an 8-bit float (E4M3: bias 7, no infinities), given its bits. Exact; NaN for 0x7f and 0xff. */
export function f8ToF32(bits: number): number {
  const sign = bits & 0x80 ? -1 : 1;
  const exponent = (bits >> 3) & 15;
  const fraction = bits & 7;
  if (exponent === 0) return sign * fraction * 2 ** -9; // zero and subnormals
  if (exponent === 15 && fraction === 7) return Number.NaN;
  return sign * (1 + fraction / 8) * 2 ** (exponent - 7);
}

let f16Table: Float32Array | undefined; // all 65536 values, 256 KiB, computed on first use

/** Converts f16 bits [n] to f32 [n], a new array. */
export function f16ArrayToF32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  f16Table ??= Float32Array.from({ length: 0x1_0000 }, (_, i) => f16ToF32(i));
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = f16Table[bits[i] ?? 0] ?? 0;
  return values;
}

/** Converts bf16 bits [n] to f32 [n], a new array. */
export function bf16ArrayToF32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(bits.length);
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < bits.length; i++) words[i] = (bits[i] ?? 0) << 16;
  return values;
}

/** Converts f32 [n] to f16 bits [n], a new array. */
export function f32ArrayToF16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = f32ToF16(values[i] ?? 0);
  return bits;
}

/** Converts f32 [n] to bf16 bits [n], a new array. */
export function f32ArrayToBf16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = f32ToBf16(values[i] ?? 0);
  return bits;
}
