/**
 * Formats of src/weights/coded-blocks.ts: w = scale * code + offset. Codes of 32 weights are made in two vectors of bytes, one
 * for each half, and multiplied as those of q8_0.ts; `readSides` brings everything else into one form, once for each row.
 */
import { prepareHalf } from './lanes';
import { FP4, isGrid, IQ2, IQ3, MXFP4, ODD, Q2_K, Q3_K, Q4_1, Q4_K, Q5_0, Q6_K, TERNARY, U4_G32 } from './numbers';
import { planeOf, readSides, sideBytes } from './sides';
import { held, madd, sumLane } from './vector';

/** Bytes of 32 prepared activations. */
const X_UNIT: usize = 128;

// What codes are made of: four bits; a fifth bit from a word; two more bits from a word for each half; a level of a table; two
// bits; a third bit from a word.
const NIBBLES: u32 = 0;
const FIFTH: u32 = 1;
const SIXTH: u32 = 2;
const LEVELS: u32 = 3;
const PAIRS: u32 = 4;
const THIRD: u32 = 5;

// @ts-ignore: decorator
@inline
function kindOf(format: u32): u32 {
  if (format == Q4_K || format == Q4_1 || format == U4_G32) return NIBBLES;
  if (format == Q6_K) return SIXTH;
  if (format == Q2_K || format == TERNARY) return PAIRS;
  if (format == Q3_K) return THIRD;
  return format >= MXFP4 ? LEVELS : FIFTH;
}

/** Whether the first plane has two bits of each code. */
// @ts-ignore: decorator
@inline
function isShort(kind: u32): bool {
  return kind >= PAIRS;
}

/** Whether each half of a unit has a scale of its own. Of LEVELS, some formats have. */
// @ts-ignore: decorator
@inline
function isByHalf(kind: u32, format: u32): bool {
  return kind == SIXTH || isShort(kind) || (kind == LEVELS && (isGrid(format) || format == FP4));
}

/** Bytes of a unit in the first plane. */
// @ts-ignore: decorator
@inline
function unitBytes(kind: u32): usize {
  return isShort(kind) ? 8 : 16;
}

/** Bytes of the first plane of `cols` weights of a row. */
export function codeBytes(format: u32, cols: u32): usize {
  return (cols / 32) * unitBytes(kindOf(format));
}

/** The levels of LEVELS, with their zero added. */
// @ts-ignore: decorator
@inline
function levelsOf(format: u32): v128 {
  if (format == MXFP4 || format == FP4) return i8x16(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0);
  if (format == IQ2) return i8x16(72, 89, 107, 0, 0, 0, 0, 0, 56, 39, 21, 0, 0, 0, 0, 0);
  if (format == IQ3) return i8x16(2, 12, 20, 28, 36, 44, 52, 60, 68, 76, 84, 92, 100, 108, 116, 126);
  if (format == ODD) return i8x16(4, 12, 20, 28, 36, 44, 52, 60, 68, 76, 84, 92, 100, 108, 116, 124);
  return i8x16(1, 24, 45, 63, 79, 93, 106, 118, -127, -115, -103, -90, -75, -59, -39, -15);
}

/** Room for prepared activations: all units, two sums of each in whole quads, and a quad for `dotUnits`. */
export function preparedRoom(cols: u32): usize {
  return 4 * cols + 2 * planeOf(cols / 32) + 16;
}

/**
 * Byte i of lane l of each half is weight 4 l + i. Codes of LEVELS may have eight bits, and their highest byte is shifted down
 * lest it be negative; others stay where they are. The sums of units, or of halves, zeros behind the last, are what offsets are
 * multiplied with; scales of halves without offsets, with the zero point.
 */
export function prepare(format: u32, x: usize, to: usize, cols: u32): void {
  const kind = kindOf(format);
  const byHalf = isByHalf(kind, format);
  const factor: f32 = kind == PAIRS ? 1 : <f32>-(<i32>zeroOf(format));
  const top: f32 = kind == LEVELS ? 1 : 1.0 / 16777216;
  const factors = f32x4.replace_lane(f32x4(1, 1.0 / 256, 1.0 / 65536, 1), 3, top);
  let sums = to + 4 * cols;
  memory.fill(sums, 0, 2 * planeOf(cols / 32));
  for (const end = x + 4 * cols; x < end; x += 128, to += X_UNIT) {
    const first = prepareHalf(x, to, 16, factors);
    const second = prepareHalf(x + 64, to + 64, 16, factors);
    if (byHalf) {
      store<f32>(sums, factor * sumLane(first));
      store<f32>(sums, factor * sumLane(second), 4);
      sums += 8;
    } else {
      store<f32>(sums, sumLane(f32x4.add(first, second)));
      sums += 4;
    }
  }
}

/**
 * As dot of q4_0.ts.
 *
 * @param sides - room for the sides of all units
 */
export function dot(format: u32, x: usize, w: usize, s: usize, sides: usize, cols: u32): v128 {
  readSides(format, s, sides, cols / 32);
  const kind = kindOf(format);
  if (kind == NIBBLES) return dotNibbles(x, w, sides, cols);
  if (kind == FIFTH) return dotFifth(x, w, sides, cols);
  if (kind == PAIRS) return dotPairs(x, w, sides, cols);
  if (kind == THIRD) return dotThird(x, w, sides, cols);
  return kind == SIXTH ? dotSixth(x, w, sides, cols) : dotLevels(format, x, w, sides, cols);
}

function dotNibbles(x: usize, w: usize, sides: usize, cols: u32): v128 {
  return dotUnits(NIBBLES, 0, x, w, sides, cols, i32x4.splat(0));
}

function dotFifth(x: usize, w: usize, sides: usize, cols: u32): v128 {
  return dotUnits(FIFTH, 0, x, w, sides, cols, i32x4.splat(0));
}

function dotSixth(x: usize, w: usize, sides: usize, cols: u32): v128 {
  return dotUnits(SIXTH, 0, x, w, sides, cols, i32x4.splat(0));
}

function dotPairs(x: usize, w: usize, sides: usize, cols: u32): v128 {
  return dotUnits(PAIRS, 0, x, w, sides, cols, i32x4.splat(0));
}

function dotThird(x: usize, w: usize, sides: usize, cols: u32): v128 {
  return dotUnits(THIRD, 0, x, w, sides, cols, i32x4.splat(0));
}

function dotLevels(format: u32, x: usize, w: usize, sides: usize, cols: u32): v128 {
  return dotUnits(LEVELS, format, x, w, sides, cols, levelsOf(format));
}

/**
 * The loop of all kinds; the compiler leaves what one needs. V8 begins a turn with all of its loads, so it is one of a single
 * unit, and keeps masks in registers only if the test is at the end.
 */
// @ts-ignore: decorator
@inline
function dotUnits(
  kind: u32,
  format: u32,
  x: usize,
  w: usize,
  sides: usize,
  cols: u32,
  levels: v128,
): v128 {
  const m0 = held(codeMask(kind), cols);
  const m1 = i32x4.shl(m0, 8);
  const m2 = i32x4.shl(m0, 16);
  const m3 = i32x4.shl(m0, 24);
  const base = held(baseMask(kind), cols);
  const places = placesOf(kind, cols);
  const pairs = pairPlaces(cols);
  const plane = planeOf(cols / 32);
  const sums = x + 4 * cols;
  const spare = sums + 2 * plane;
  let bits = sides + 2 * plane;
  const next: usize = isByHalf(kind, format) ? 4 : 0;
  let a = next
    ? dotPlane(sums, kind == PAIRS ? bits : sides, 2 * plane)
    : dotPlane(sums, sides + plane, plane);
  const end = w + (cols / 32) * unitBytes(kind);
  do {
    const low = codesOf(kind, lowBits(kind, w, pairs), highBits(kind, bits), base, places, levels);
    let first = f32x4.mul(byteOf(low, m0), v128.load(x));
    first = madd(byteOf(low, m1), v128.load(x, 16), first);
    first = madd(byteOf(low, m2), v128.load(x, 32), first);
    first = madd(topOf(kind, low, m3), v128.load(x, 48), first);
    // Loads do not pass a store: this one leaves `a` in its register where multiply-adds are not fused.
    if (!ASC_FEATURE_RELAXED_SIMD) v128.store(spare, first);
    const high = codesOf(kind, nextBits(kind, w, pairs), restBits(kind, bits), base, places, levels);
    let second = f32x4.mul(byteOf(high, m0), v128.load(x, 64));
    second = madd(byteOf(high, m1), v128.load(x, 80), second);
    second = madd(byteOf(high, m2), v128.load(x, 96), second);
    second = madd(topOf(kind, high, m3), v128.load(x, 112), second);
    if (!ASC_FEATURE_RELAXED_SIMD) first = v128.load(spare);
    const scale = v128.load_splat<f32>(sides);
    if (kind == LEVELS || isByHalf(kind, format)) {
      first = f32x4.mul(first, scale);
      a = f32x4.add(a, madd(second, v128.load_splat<f32>(sides + next), first));
    } else a = madd(f32x4.add(first, second), scale, a);
    w += unitBytes(kind);
    x += X_UNIT;
    sides += 4 + next;
    bits += kind == SIXTH ? 8 : 4;
  } while (w < end);
  return a;
}

/** What offsets add: the products with the sums of activations. */
function dotPlane(x: usize, side: usize, bytes: usize): v128 {
  let sum = f32x4.splat(0);
  for (const end = side + bytes; side < end; side += 16, x += 16) {
    sum = madd(v128.load(side), v128.load(x), sum);
  }
  return sum;
}

// @ts-ignore: decorator
@inline
function byteOf(codes: v128, mask: v128): v128 {
  return f32x4.convert_i32x4_s(v128.and(codes, mask));
}

// @ts-ignore: decorator
@inline
function topOf(kind: u32, codes: v128, mask: v128): v128 {
  return f32x4.convert_i32x4_s(kind == LEVELS ? i32x4.shr_u(codes, 24) : v128.and(codes, mask));
}

/** The first plane's bits of the first half of a unit, each in its byte, others above. */
// @ts-ignore: decorator
@inline
function lowBits(kind: u32, w: usize, pairs: v128): v128 {
  return isShort(kind) ? pairsOf(v128.load_splat<u32>(w), pairs) : v128.load(w);
}

/** The same of the second half. */
// @ts-ignore: decorator
@inline
function nextBits(kind: u32, w: usize, pairs: v128): v128 {
  if (isShort(kind)) return pairsOf(v128.load_splat<u32>(w, 4), pairs);
  return i32x4.shr_u(v128.load(w), 4);
}

/** The words of high bits of the first half, where there are any. */
// @ts-ignore: decorator
@inline
function highBits(kind: u32, bits: usize): v128 {
  return hasBits(kind) ? v128.load_splat<u32>(bits) : i32x4.splat(0);
}

/** The same of the second half. */
// @ts-ignore: decorator
@inline
function restBits(kind: u32, bits: usize): v128 {
  return kind == SIXTH ? v128.load_splat<u32>(bits, 4) : i32x4.shr_u(highBits(kind, bits), 4);
}

// @ts-ignore: decorator
@inline
function hasBits(kind: u32): bool {
  return kind == FIFTH || kind == SIXTH || kind == THIRD;
}

/** The bits of the first plane in a byte. */
// @ts-ignore: decorator
@inline
function baseMask(kind: u32): u32 {
  return isShort(kind) ? 0x03030303 : 0x0f0f0f0f;
}

/** The bits of a code. */
// @ts-ignore: decorator
@inline
function codeMask(kind: u32): u32 {
  if (isShort(kind)) return kind == PAIRS ? 0x03 : 0x07;
  return kind == NIBBLES ? 0x0f : kind == FIFTH ? 0x1f : kind == SIXTH ? 0x3f : 0xff;
}

/** Factors that move bit l of each byte to bit 4 in lane l; of SIXTH, as `pairPlaces`. */
// @ts-ignore: decorator
@inline
function placesOf(kind: u32, cols: u32): v128 {
  if (kind == SIXTH) return pairPlaces(cols);
  return i32x4.add(i32x4(0x00100010, 0x00080008, 0x00040004, 0x00020002), held(0, cols));
}

/** Factors that move bits 2 l and 2 l + 1 of each byte to bits 6 and 7 in lane l. */
// @ts-ignore: decorator
@inline
function pairPlaces(cols: u32): v128 {
  return i32x4.add(i32x4(0x00400040, 0x00100010, 0x00040004, 0x00010001), held(0, cols));
}

/** The pairs of a word in the lowest bits of sixteen bytes. */
// @ts-ignore: decorator
@inline
function pairsOf(word: v128, places: v128): v128 {
  return i16x8.shr_u(i16x8.mul(word, places), 6);
}

/** Sixteen codes from the bits of the first plane; in bits beyond those of a code there may be anything. */
// @ts-ignore: decorator
@inline
function codesOf(kind: u32, bytes: v128, high: v128, base: v128, places: v128, levels: v128): v128 {
  if (kind == NIBBLES || kind == PAIRS) return bytes;
  if (kind == LEVELS) {
    const index = v128.and(bytes, base);
    if (ASC_FEATURE_RELAXED_SIMD) return i8x16.relaxed_swizzle(levels, index);
    return i8x16.swizzle(levels, index);
  }
  const bits = i16x8.mul(high, places);
  return v128.bitselect(bytes, kind == FIFTH ? bits : i16x8.shr_u(bits, 2), base);
}

/** `cols` weights of a row as f32. */
export function unpack(format: u32, w: usize, s: usize, to: usize, cols: u32): void {
  for (const end = to + 4 * cols; to < end; to += 1024) {
    unpackUnits(format, w, s, to, min((end - to) / 128, 8));
    w += codeBytes(format, 256);
    s += sideBytes(format, 256);
  }
}

/** Up to eight units. */
function unpackUnits(format: u32, w: usize, s: usize, to: usize, units: usize): void {
  const kind = kindOf(format);
  const mask = i8x16.splat(<i8>codeMask(kind));
  const base = i32x4.splat(baseMask(kind));
  const places = placesOf(kind, 0);
  const pairs = pairPlaces(0);
  const levels = levelsOf(format);
  const zero = zeroOf(format);
  const zeros = i8x16.splat(zero);
  // Sides are read into the place of the last unit, which comes last.
  const plane = planeOf(units);
  let side = to + 128 * units - 4 * plane;
  let bits = side + 2 * plane;
  readSides(format, s, side, units);
  const next: usize = isByHalf(kind, format) ? 4 : 0;
  for (const end = to + 128 * units; to < end; to += 128) {
    const scale = v128.load_splat<f32>(side);
    const second = v128.load_splat<f32>(side + next);
    // With a zero they are rounded once, as in the reference.
    let offset = f32x4.splat(0);
    let secondOffset = offset;
    if (!zero) {
      const offsets = side + (kind == PAIRS ? 2 * plane : plane);
      offset = v128.load_splat<f32>(offsets);
      secondOffset = v128.load_splat<f32>(offsets + next);
    }
    const low = codesOf(kind, lowBits(kind, w, pairs), highBits(kind, bits), base, places, levels);
    const high = codesOf(kind, nextBits(kind, w, pairs), restBits(kind, bits), base, places, levels);
    unpack16(i8x16.sub(v128.and(low, mask), zeros), scale, offset, to);
    unpack16(i8x16.sub(v128.and(high, mask), zeros), second, secondOffset, to + 64);
    w += unitBytes(kind);
    side += 4 + next;
    bits += kind == SIXTH ? 8 : 4;
  }
}

/** The code of the value 0, in formats without offsets. */
// @ts-ignore: decorator
@inline
function zeroOf(format: u32): i8 {
  const kind = kindOf(format);
  if (kind == SIXTH) return 32;
  if (kind == THIRD) return 4;
  if (kind == LEVELS) return format == MXFP4 || format == FP4 ? 12 : isGrid(format) ? 64 : -128;
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
