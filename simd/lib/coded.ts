/**
 * Formats of src/weights/coded-blocks.ts: w = scale * code + offset. Codes of 32 weights are made in two vectors of bytes, one
 * for each half, and multiplied as those of q8_0.ts; `readSides` brings everything else into one form, once for each row.
 */
import { prepareHalf } from './lanes';
import { MXFP4, Q4_1, Q4_K, Q5_0, Q6_K } from './numbers';
import { readSides, SIDE } from './sides';
import { held, madd } from './vector';

/** Bytes of 32 prepared activations: two quads of sums, then eight quads. */
const X_UNIT: usize = 160;

// What codes are made of: four bits; a fifth bit from a word; two more bits from a word for each half; a level of a table.
const NIBBLES: u32 = 0;
const FIFTH: u32 = 1;
const SIXTH: u32 = 2;
const LEVELS: u32 = 3;

// @ts-ignore: decorator
@inline
function kindOf(format: u32): u32 {
  if (format == Q4_K || format == Q4_1) return NIBBLES;
  if (format == Q6_K) return SIXTH;
  return format >= MXFP4 ? LEVELS : FIFTH;
}

/** The levels of LEVELS, with their zero added. */
// @ts-ignore: decorator
@inline
function levelsOf(format: u32): v128 {
  return format == MXFP4
    ? i8x16(16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4)
    : i8x16(1, 24, 45, 63, 79, 93, 106, 118, -127, -115, -103, -90, -75, -59, -39, -15);
}

/**
 * Byte i of lane l of each half is weight 4 l + i. Codes of LEVELS may have eight bits, and their highest byte is shifted down
 * lest it be negative; others stay where they are.
 */
export function prepare(format: u32, x: usize, to: usize, cols: u32): void {
  const top: f32 = kindOf(format) == LEVELS ? 1 : 1.0 / 16777216;
  const factors = f32x4.replace_lane(f32x4(1, 1.0 / 256, 1.0 / 65536, 1), 3, top);
  for (let end = x + 4 * cols; x < end; x += 128, to += X_UNIT) {
    const first = prepareHalf(x, to + 32, 16, factors);
    const second = prepareHalf(x + 64, to + 96, 16, factors);
    if (format == Q6_K) {
      // Each half has its own scale: sums are what the zero point adds to each.
      v128.store(to, f32x4.mul(first, f32x4.splat(-32)));
      v128.store(to, f32x4.mul(second, f32x4.splat(-32)), 16);
    } else v128.store(to, f32x4.add(first, second));
  }
}

/** As dot of q4_0.ts. @param sides - room for the sides of all units */
export function dot(format: u32, x: usize, w: usize, s: usize, sides: usize, units: u32): v128 {
  readSides(format, s, sides, units);
  const kind = kindOf(format);
  if (kind == NIBBLES) return dotNibbles(x, w, sides, units);
  if (kind == FIFTH) return dotFifth(x, w, sides, units);
  return kind == SIXTH ? dotSixth(x, w, sides, units) : dotLevels(x, w, sides, units, levelsOf(format));
}

function dotNibbles(x: usize, w: usize, sides: usize, units: u32): v128 {
  return dotUnits(NIBBLES, x, w, sides, units, i32x4.splat(0));
}

function dotFifth(x: usize, w: usize, sides: usize, units: u32): v128 {
  return dotUnits(FIFTH, x, w, sides, units, i32x4.splat(0));
}

function dotSixth(x: usize, w: usize, sides: usize, units: u32): v128 {
  return dotUnits(SIXTH, x, w, sides, units, i32x4.splat(0));
}

function dotLevels(x: usize, w: usize, sides: usize, units: u32, levels: v128): v128 {
  return dotUnits(LEVELS, x, w, sides, units, levels);
}

/** The loop of all kinds; the compiler leaves what one needs. Units follow one another without waiting: each has its own sum. */
// @ts-ignore: decorator
@inline
function dotUnits(kind: u32, x: usize, w: usize, sides: usize, units: u32, levels: v128): v128 {
  const m0 = held(codeMask(kind), units);
  const nibbles = held(0x0f0f0f0f, units);
  const places = placesOf(kind, units);
  let a = f32x4.splat(0);
  let b = a;
  for (const end = w + 16 * units; w < end; w += 16, sides += SIDE, x += X_UNIT) {
    const bytes = v128.load(w);
    const low = codesOf(kind, bytes, highBits(sides), nibbles, places, levels);
    const rest = kind == SIXTH ? v128.load_splat<u32>(sides, 12) : i32x4.shr_u(highBits(sides), 4);
    const high = codesOf(kind, i32x4.shr_u(bytes, 4), rest, nibbles, places, levels);
    const scale = v128.load_splat<f32>(sides);
    const second = v128.load_splat<f32>(sides, 4);
    if (kind == SIXTH) {
      a = madd(halfDot(kind, low, m0, x + 32, v128.load(x), true), scale, a);
      b = madd(halfDot(kind, high, m0, x + 96, v128.load(x, 16), true), second, b);
    } else {
      const sum = halfDot(kind, low, m0, x + 32, a, false);
      a = madd(f32x4.add(sum, halfDot(kind, high, m0, x + 96, a, false)), scale, a);
      b = madd(v128.load(x), second, b);
    }
  }
  return f32x4.add(a, b);
}

// @ts-ignore: decorator
@inline
function highBits(sides: usize): v128 {
  return v128.load_splat<u32>(sides, 8);
}

/** The bits of a code. */
// @ts-ignore: decorator
@inline
function codeMask(kind: u32): u32 {
  return kind == NIBBLES ? 0x0f : kind == FIFTH ? 0x1f : kind == SIXTH ? 0x3f : 0xff;
}

/** Factors that move the high bits of 4 l to 4 l + 3 from bit l of each byte to bit 4, or from bits 2 l to bit 6, in lane l. */
// @ts-ignore: decorator
@inline
function placesOf(kind: u32, units: u32): v128 {
  const places =
    kind == FIFTH
      ? i32x4(0x00100010, 0x00080008, 0x00040004, 0x00020002)
      : i32x4(0x00400040, 0x00100010, 0x00040004, 0x00010001);
  return i32x4.add(places, held(0, units));
}

/** Sixteen codes from low nibbles; in bits beyond those of a code there may be anything. */
// @ts-ignore: decorator
@inline
function codesOf(kind: u32, bytes: v128, high: v128, nibbles: v128, places: v128, levels: v128): v128 {
  if (kind == NIBBLES) return bytes;
  if (kind == LEVELS) {
    const index = v128.and(bytes, nibbles);
    if (ASC_FEATURE_RELAXED_SIMD) return i8x16.relaxed_swizzle(levels, index);
    return i8x16.swizzle(levels, index);
  }
  const bits = i16x8.mul(high, places);
  return v128.bitselect(bytes, kind == SIXTH ? i16x8.shr_u(bits, 2) : bits, nibbles);
}

/** The sum of the products of sixteen codes. */
// @ts-ignore: decorator
@inline
function halfDot(kind: u32, codes: v128, m0: v128, x: usize, start: v128, isStarted: bool): v128 {
  const c0 = f32x4.convert_i32x4_s(v128.and(codes, m0));
  const c1 = f32x4.convert_i32x4_s(v128.and(codes, i32x4.shl(m0, 8)));
  const c2 = f32x4.convert_i32x4_s(v128.and(codes, i32x4.shl(m0, 16)));
  const top = kind == LEVELS ? i32x4.shr_u(codes, 24) : v128.and(codes, i32x4.shl(m0, 24));
  let sum = isStarted ? madd(c0, v128.load(x), start) : f32x4.mul(c0, v128.load(x));
  sum = madd(c1, v128.load(x, 16), sum);
  sum = madd(c2, v128.load(x, 32), sum);
  return madd(f32x4.convert_i32x4_s(top), v128.load(x, 48), sum);
}

/** `cols` weights of a row as f32. */
export function unpack(format: u32, w: usize, s: usize, to: usize, cols: u32): void {
  const kind = kindOf(format);
  const units = cols / 32;
  const mask = i8x16.splat(<i8>codeMask(kind));
  const nibbles = i8x16.splat(0x0f);
  const places = placesOf(kind, units);
  const levels = levelsOf(format);
  const zero = zeroOf(format);
  const zeros = i8x16.splat(zero);
  // Sides are read into the end of the row: each is used before weights take its place.
  let side = to + 4 * cols - SIDE * units;
  readSides(format, s, side, units);
  for (let end = w + cols / 2; w < end; w += 16, side += SIDE, to += 128) {
    const bytes = v128.load(w);
    const scale = v128.load_splat<f32>(side);
    const second = v128.load_splat<f32>(side, 4);
    const first = highBits(side);
    const rest = kind == SIXTH ? v128.load_splat<u32>(side, 12) : i32x4.shr_u(first, 4);
    const low = v128.and(codesOf(kind, bytes, first, nibbles, places, levels), mask);
    const high = v128.and(codesOf(kind, i32x4.shr_u(bytes, 4), rest, nibbles, places, levels), mask);
    // With a zero they are rounded once, as in the reference.
    const offset = zero ? f32x4.splat(0) : second;
    unpack16(i8x16.sub(low, zeros), scale, offset, to);
    unpack16(i8x16.sub(high, zeros), kind == SIXTH ? second : scale, offset, to + 64);
  }
}

/** The code of the value 0, in formats without offsets. */
// @ts-ignore: decorator
@inline
function zeroOf(format: u32): i8 {
  const kind = kindOf(format);
  if (kind == SIXTH) return 32;
  if (kind == LEVELS) return format == MXFP4 ? 16 : -128;
  return format == Q5_0 ? 16 : 0;
}

function unpack16(codes: v128, scale: v128, offset: v128, to: usize): void {
  const low = i16x8.extend_low_i8x16_s(codes);
  const high = i16x8.extend_high_i8x16_s(codes);
  v128.store(to, madd(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(low)), scale, offset));
  v128.store(to, madd(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(low)), scale, offset), 16);
  v128.store(to, madd(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(high)), scale, offset), 32);
  v128.store(to, madd(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(high)), scale, offset), 48);
}
