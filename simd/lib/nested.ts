/**
 * Formats of src/weights/nested-planes.ts: codes of two bits and planes of signs. Codes are cut out of 32-bit lanes as those of coded.ts, and so
 * are the bits of a plane; products of the groups with both are summed on their own, and then multiplied by their scales.
 */
import { loadHalf } from './half';
import { prepareHalf } from './lanes';
import { NESTED3, NESTED4 } from './numbers';
import { held, madd, sumLane } from './vector';

const GROUP: u32 = 128;
const UNIT: u32 = 32;
/** At the start of a row of scales: how many words its rows of both planes are behind. */
const LINK_BYTES: usize = 8;
/** Bytes of 32 prepared activations. */
const X_UNIT: usize = 128;

/** What the bits of planes are multiplied with: they are cut out at bit 4 of their bytes, and stand for 2 * bit - 1. */
const BIT_FACTOR: f32 = 2.0 / 16;

// @ts-ignore: decorator
@inline
function groupsOf(cols: u32): u32 {
  return (cols + GROUP - 1) / GROUP;
}

/** Bytes of a row of scales. */
export function scaleBytes(cols: u32): usize {
  return LINK_BYTES + 4 * <usize>groupsOf(cols);
}

/** Room for prepared activations, and a sum for each group. */
export function preparedRoom(cols: u32): usize {
  return (4 * cols + 4 * groupsOf(cols) + 15) & ~15;
}

/** Byte i of lane l of each half of a unit is weight 4 l + i. Codes stay where they are in 32 bits. */
export function prepare(x: usize, to: usize, cols: u32): void {
  const factors = f32x4(1, 1.0 / 256, 1.0 / 65536, 1.0 / 16777216);
  let sums = to + 4 * cols;
  let total = f32x4.splat(0);
  const begin = to;
  for (const end = to + 4 * cols; to < end; x += 128) {
    const first = prepareHalf(x, to, 16, factors);
    const second = prepareHalf(x + 64, to + 64, 16, factors);
    total = f32x4.add(total, f32x4.add(first, second));
    to += X_UNIT;
    if (to == end || ((to - begin) & (4 * GROUP - 1)) == 0) {
      store<f32>(sums, sumLane(total));
      total = f32x4.splat(0);
      sums += 4;
    }
  }
}

/** The row of a plane; 0 if the format or the matrix has none. */
// @ts-ignore: decorator
@inline
function planeRow(format: u32, least: u32, s: usize, index: usize): usize {
  if (format < least) return 0;
  const behind = <usize>load<u32>(s + 4 * index);
  return behind ? s + 4 * behind : 0;
}

/** Sums, in four lanes, of the products of a row of weights with prepared activations. */
export function dot(format: u32, x: usize, w: usize, s: usize, cols: u32): v128 {
  const third = planeRow(format, NESTED3, s, 0);
  const fourth = third ? planeRow(format, NESTED4, s, 1) : 0;
  const sums = x + 4 * cols;
  let total = f32x4.splat(0);
  let offsets: f32 = 0;
  for (let c: u32 = 0, group: usize = 0; c < cols; c += GROUP, group++) {
    const units = min(cols - c, GROUP) / UNIT;
    const at = s + LINK_BYTES + 4 * group;
    let offset = loadHalf(at + 2);
    total = madd(dotBase(x, w + c / 4, units), f32x4.splat(loadHalf(at)), total);
    for (let plane = third; plane; plane = plane == third ? fourth : 0) {
      const scale = loadHalf(plane + cols / 8 + 2 * group);
      total = madd(dotPlane(x, plane + c / 8, units), f32x4.splat(BIT_FACTOR * scale), total);
      offset -= scale;
    }
    offsets += offset * load<f32>(sums + 4 * group);
    x += 4 * GROUP;
  }
  return f32x4.add(total, f32x4.replace_lane(f32x4.splat(0), 0, offsets));
}

/** The products of the codes of a group. */
function dotBase(x: usize, w: usize, units: u32): v128 {
  const pairs = i32x4.add(i32x4(0x00400040, 0x00100010, 0x00040004, 0x00010001), held(0, units));
  const code = held(0x00000003, units);
  let sum = f32x4.splat(0);
  for (const end = w + 8 * <usize>units; w < end; w += 4, x += 64) {
    sum = dotCodes(codesOf(v128.load_splat<u32>(w), pairs), code, x, sum);
  }
  return sum;
}

/** The products of the bits of a plane, at bit 4 of their bytes, of a group. */
function dotPlane(x: usize, bits: usize, units: u32): v128 {
  const places = i32x4.add(i32x4(0x00100010, 0x00080008, 0x00040004, 0x00020002), held(0, units));
  const bit = held(0x00000010, units);
  let sum = f32x4.splat(0);
  for (const end = bits + 4 * <usize>units; bits < end; bits += 4, x += X_UNIT) {
    const word = v128.load_splat<u32>(bits);
    sum = dotCodes(i16x8.mul(word, places), bit, x, sum);
    sum = dotCodes(i16x8.mul(i32x4.shr_u(word, 4), places), bit, x + 64, sum);
  }
  return sum;
}

/** The codes of a word in the lowest bits of sixteen bytes, others above. */
// @ts-ignore: decorator
@inline
function codesOf(word: v128, pairs: v128): v128 {
  return i16x8.shr_u(i16x8.mul(word, pairs), 6);
}

/** Adds the products of sixteen codes, which `mask` cuts out of the lowest byte of a lane. Sums of sixteen do not wait for one another. */
// @ts-ignore: decorator
@inline
function dotCodes(bytes: v128, mask: v128, x: usize, sum: v128): v128 {
  let own = f32x4.mul(f32x4.convert_i32x4_s(v128.and(bytes, mask)), v128.load(x));
  own = madd(f32x4.convert_i32x4_s(v128.and(bytes, i32x4.shl(mask, 8))), v128.load(x, 16), own);
  own = madd(f32x4.convert_i32x4_s(v128.and(bytes, i32x4.shl(mask, 16))), v128.load(x, 32), own);
  own = madd(f32x4.convert_i32x4_s(v128.and(bytes, i32x4.shl(mask, 24))), v128.load(x, 48), own);
  return f32x4.add(sum, own);
}

/** `count` weights of a row of `cols` from column `first` on, a multiple of 128, as f32. */
export function unpack(
  format: u32,
  w: usize,
  s: usize,
  to: usize,
  first: u32,
  count: u32,
  cols: u32,
): void {
  const pairs = i32x4(0x00400040, 0x00100010, 0x00040004, 0x00010001);
  const places = i32x4(0x00100010, 0x00080008, 0x00040004, 0x00020002);
  const third = planeRow(format, NESTED3, s, 0);
  const fourth = third ? planeRow(format, NESTED4, s, 1) : 0;
  for (let c = first; c < first + count; c += UNIT, to += 4 * UNIT) {
    const group: usize = c / GROUP;
    const at = s + LINK_BYTES + 4 * group;
    const offset = f32x4.splat(loadHalf(at + 2));
    for (let i: usize = 0; i < 4 * UNIT; i += 16) v128.store(to + i, offset);
    const codes = w + c / 4;
    const three = i8x16.splat(3);
    const scale = loadHalf(at);
    add16(v128.and(codesOf(v128.load_splat<u32>(codes), pairs), three), scale, to);
    add16(v128.and(codesOf(v128.load_splat<u32>(codes, 4), pairs), three), scale, to + 64);
    for (let plane = third; plane; plane = plane == third ? fourth : 0) {
      const bits = v128.load_splat<u32>(plane + c / 8);
      const own = loadHalf(plane + cols / 8 + 2 * group);
      add16(signsOf(i16x8.mul(bits, places)), own, to);
      add16(signsOf(i16x8.mul(i32x4.shr_u(bits, 4), places)), own, to + 64);
    }
  }
}

/** 1 for bytes that have bit 4, -1 for others. */
// @ts-ignore: decorator
@inline
function signsOf(bytes: v128): v128 {
  return i8x16.sub(v128.and(i8x16.shr_u(bytes, 3), i8x16.splat(2)), i8x16.splat(1));
}

/** Adds sixteen signed bytes times a scale. */
function add16(bytes: v128, scale: f32, to: usize): void {
  const factor = f32x4.splat(scale);
  for (const end = to + 64; to < end; to += 16) {
    const four = i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(bytes));
    v128.store(to, madd(f32x4.convert_i32x4_s(four), factor, v128.load(to)));
    bytes = v128.shuffle<u32>(bytes, bytes, 1, 2, 3, 0);
  }
}
