/** Formats of src/weights/byte-groups.ts: a byte for each weight, an f32 scale for 128 columns of a row. */
import { F8_G128 } from './numbers';
import { held, madd } from './vector';

const GROUP: u32 = 128;

/** Bytes of the scales of `cols` weights of a row. */
export function groupBytes(cols: u32): usize {
  return 4 * ((cols + GROUP - 1) / GROUP);
}

/** Sums, in four lanes, of the products of a row of weights with activations. */
export function dot(format: u32, x: usize, w: usize, s: usize, cols: u32): v128 {
  return format == F8_G128 ? dotGroups(true, x, w, s, cols) : dotGroups(false, x, w, s, cols);
}

// @ts-ignore: decorator
@inline
function dotGroups(isFloat: bool, x: usize, w: usize, s: usize, cols: u32): v128 {
  const magnitudes = held(MAGNITUDES, cols);
  const signs = held(SIGNS, cols);
  const bias = held(BIAS, cols);
  const least = held(LEAST, cols);
  const step = held(STEP, cols);
  let total = f32x4.splat(0);
  for (const end = w + cols; w < end; s += 4) {
    const last = min(w + GROUP, end);
    let a0 = f32x4.splat(0);
    let a1 = a0;
    for (; w < last; w += 8, x += 32) {
      const eight = v128.load_ext<i8>(w);
      const low = valuesOf(isFloat, i32x4.extend_low_i16x8_s(eight), magnitudes, signs, bias, least, step);
      const high = valuesOf(isFloat, i32x4.extend_high_i16x8_s(eight), magnitudes, signs, bias, least, step);
      a0 = madd(low, v128.load(x), a0);
      a1 = madd(high, v128.load(x, 16), a1);
    }
    total = madd(f32x4.add(a0, a1), v128.load_splat<f32>(s), total);
  }
  return total;
}

// Of 8-bit floats, moved up to the exponent of f32: exponent and fraction, the sign, the difference of the biases, the least
// exponent that is not subnormal, and 2^-29, the value of the last bit of subnormal ones.
const MAGNITUDES: u32 = 0x07f00000;
const SIGNS: u32 = 0x80000000;
const BIAS: u32 = 0x3c000000;
const LEAST: u32 = 0x00800000;
const STEP: u32 = 0x31000000;

/** The values of four bytes, extended by their signs. */
// @ts-ignore: decorator
@inline
function valuesOf(
  isFloat: bool,
  bytes: v128,
  magnitudes: v128,
  signs: v128,
  bias: v128,
  least: v128,
  step: v128,
): v128 {
  if (!isFloat) return f32x4.convert_i32x4_s(bytes);
  const magnitude = v128.and(i32x4.shl(bytes, 20), magnitudes);
  const normal = i32x4.add(magnitude, bias);
  const subnormal = f32x4.mul(f32x4.convert_i32x4_s(magnitude), step);
  const positive = v128.bitselect(subnormal, normal, i32x4.lt_s(magnitude, least));
  return v128.or(positive, v128.and(bytes, signs));
}

/** `cols` weights of a row as f32, in their order. */
export function unpack(format: u32, w: usize, s: usize, to: usize, cols: u32): void {
  if (format == F8_G128) unpackGroups(true, w, s, to, cols);
  else unpackGroups(false, w, s, to, cols);
}

// @ts-ignore: decorator
@inline
function unpackGroups(isFloat: bool, w: usize, s: usize, to: usize, cols: u32): void {
  const magnitudes = held(MAGNITUDES, cols);
  const signs = held(SIGNS, cols);
  const bias = held(BIAS, cols);
  const least = held(LEAST, cols);
  const step = held(STEP, cols);
  for (const end = w + cols; w < end; s += 4) {
    const last = min(w + GROUP, end);
    const scale = v128.load_splat<f32>(s);
    for (; w < last; w += 8, to += 32) {
      const eight = v128.load_ext<i8>(w);
      const low = valuesOf(isFloat, i32x4.extend_low_i16x8_s(eight), magnitudes, signs, bias, least, step);
      const high = valuesOf(isFloat, i32x4.extend_high_i16x8_s(eight), magnitudes, signs, bias, least, step);
      v128.store(to, f32x4.mul(low, scale));
      v128.store(to, f32x4.mul(high, scale), 16);
    }
  }
}
