/** What units of 32 weights have beside their low four or two bits: the second plane of src/weights/coded-blocks.ts. */
import { highHalves, loadHalf, loadHalves } from './half';
import { FP4, isGrid, IQ4_NL, IQ4_XS, MXFP4, Q2_K, Q3_K, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, TERNARY, U4_G32 } from './numbers';

/** Bytes of one number of each unit: whole quads. */
// @ts-ignore: decorator
@inline
export function planeOf(units: usize): usize {
  return (4 * units + 15) & ~15;
}

/** Bytes of the second plane of `cols` weights of a row. Blocks whose sides are grouped have equal parts of the group. */
export function sideBytes(format: u32, cols: u32): usize {
  if (format == Q6_K) return (cols / 256) * 84;
  if (format == Q2_K) return (cols / 256) * 20;
  if (isGrid(format)) return (cols / 256) * 12;
  if (format == TERNARY) return cols / 64;
  if (format == Q5_K || format == Q5_0 || format == Q3_K) return (cols / 32) * 6;
  if (format == Q5_1) return cols / 4;
  if (format == Q4_1 || format == U4_G32 || format == FP4) return cols / 8;
  return format == MXFP4 || format == IQ4_XS ? cols / 32 : cols / 16;
}

/**
 * Writes the sides of a row's units in four planes: the f32 scales and offsets of w = scale * code + offset, and words of high
 * bits; the last is spare. Offsets are finite up to the end of their plane. Of q6_k, q3_k, q2_k, grids and fp4: in two planes, the scales
 * of the first and the second half of each unit by turns, and behind them the words of high bits (q6_k: likewise, in two), or
 * likewise the offsets (q2_k, ternary).
 */
export function readSides(format: u32, s: usize, to: usize, units: usize): void {
  const plane = planeOf(units);
  if (format == Q4_K) readK(false, s, to, plane);
  else if (format == Q5_K) readK(true, s, to, plane);
  else if (format == Q6_K) readQ6K(s, to, plane);
  else if (format == IQ4_XS) readIq4Xs(s, to, plane);
  else if (format == Q3_K) readQ3K(s, to, plane);
  else if (format == Q2_K) readQ2K(s, to, plane);
  else if (isGrid(format)) readGrid(s, to, plane);
  else if (format == TERNARY) readTernary(s, to, plane);
  else if (format == FP4) readFp4(s, to, plane, units);
  else {
    // Of q5_0, rows of odd numbers of blocks may begin within a group.
    const fours = format == Q5_0 && s & 2 ? 0 : units / 4;
    readFours(format, s, to, plane, fours);
    const end = to + 4 * units;
    const step = sideBytes(format, 128);
    s += fours * step;
    to += fours * 16;
    for (; to < end; to += 16, s += step) readSome(format, s, to, plane, min((end - to) / 4, 4));
  }
}

/** q4_k and q5_k: f16 d and dmin, 12 bytes of scales and minimums (src/weights/k-scales.ts), words of fifth bits. */
// @ts-ignore: decorator
@inline
function readK(hasFifths: bool, s: usize, to: usize, plane: usize): void {
  for (const end = to + plane; to < end; to += 32, s += 16) {
    const d = f32x4.splat(loadHalf(s));
    const dmin = f32x4.splat(-loadHalf(s + 2));
    const scales = load<u32>(s, 4);
    const minimums = load<u32>(s, 8);
    const nibbles = load<u32>(s, 12);
    const offsets = to + plane;
    v128.store(to, timesBytes(d, scales & 0x3f3f3f3f));
    v128.store(to, timesBytes(d, (nibbles & 0x0f0f0f0f) | ((scales >> 2) & 0x30303030)), 16);
    v128.store(offsets, timesBytes(dmin, minimums & 0x3f3f3f3f));
    v128.store(offsets, timesBytes(dmin, ((nibbles >> 4) & 0x0f0f0f0f) | ((minimums >> 2) & 0x30303030)), 16);
    if (hasFifths) {
      v128.store(offsets + plane, v128.load(s, 16));
      v128.store(offsets + plane, v128.load(s, 32), 16);
      s += 32;
    }
  }
}

/** Four signed bytes as f32, multiplied. */
// @ts-ignore: decorator
@inline
function timesBytes(factor: v128, bytes: u32): v128 {
  const words = i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(i32x4.splat(bytes)));
  return f32x4.mul(f32x4.convert_i32x4_s(words), factor);
}

/** Two words of high bits for each unit, a signed byte of scale for each half of one, f16 d. */
function readQ6K(s: usize, to: usize, plane: usize): void {
  for (const end = to + 2 * plane; to < end; s += 84) {
    const d = f32x4.splat(loadHalf(s + 80));
    let scales = s + 64;
    for (let bits = s; bits < s + 64; bits += 16, scales += 4, to += 16) {
      v128.store(to, timesBytes(d, load<u32>(scales)));
      v128.store(to + 2 * plane, v128.load(bits));
    }
  }
}

/** A word of third bits for each unit, 12 bytes of scales for halves (src/weights/formats/q3_k.ts), f16 d. */
function readQ3K(s: usize, to: usize, plane: usize): void {
  let bits = to + 2 * plane;
  for (const end = bits; to < end; s += 48, bits += 32) {
    v128.store(bits, v128.load(s));
    v128.store(bits, v128.load(s, 16), 16);
    const d = f32x4.splat(loadHalf(s + 44));
    const high = load<u32>(s, 40);
    for (let four: u32 = 0; four < 4; four++, to += 16) {
      const low = load<u32>(s + 4 * (four & 1), 32) >> (4 * (four >> 1));
      const scales = (low & 0x0f0f0f0f) | (((high >> (2 * four)) & 0x03030303) << 4);
      // Bytes less 32: the highest bits keep them from borrowing.
      v128.store(to, timesBytes(d, ((scales | 0x80808080) - 0x20202020) ^ 0x80808080));
    }
  }
}

/** A scale and a minimum of four bits for each half of a unit, f16 d and dmin. */
function readQ2K(s: usize, to: usize, plane: usize): void {
  for (const end = to + 2 * plane; to < end; s += 20) {
    const d = f32x4.splat(loadHalf(s + 16));
    const dmin = f32x4.splat(-loadHalf(s + 18));
    for (let at = s; at < s + 16; at += 4, to += 16) {
      const both = load<u32>(at);
      v128.store(to, timesBytes(d, both & 0x0f0f0f0f));
      v128.store(to + 2 * plane, timesBytes(dmin, (both >> 4) & 0x0f0f0f0f));
    }
  }
}

/** A f32 scale for eight units, whose codes are 1 too large. */
function readTernary(s: usize, to: usize, plane: usize): void {
  for (const end = to + 2 * plane; to < end; s += 4) {
    const scale = v128.load_splat<f32>(s);
    for (const last = to + 64; to < last; to += 16) {
      v128.store(to, scale);
      v128.store(to + 2 * plane, f32x4.neg(scale));
    }
  }
}

/** A f32 factor, and a scale of four bits for each half of a unit. */
function readGrid(s: usize, to: usize, plane: usize): void {
  for (const end = to + 2 * plane; to < end; s += 4) {
    const factor = v128.load_splat<f32>(s);
    for (const last = s + 8; s < last; s += 2, to += 16) {
      const steps = f32x4.convert_i32x4_s(nibblesOf(load<u16>(s, 4)));
      v128.store(to, f32x4.mul(f32x4.add(steps, f32x4.splat(0.5)), factor));
    }
  }
}

/** A f32 factor, negative for a divisor, and four bytes of E4M3, for each two units; codes are twice the values. */
function readFp4(s: usize, to: usize, plane: usize, units: usize): void {
  const last = to + 2 * plane;
  const seven = i32x4.splat(7);
  for (const end = to + 8 * units; to < end; s += 8, to += 16) {
    const factor = load<f32>(s);
    const bytes = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(s, 4)));
    const normal = i32x4.add(i32x4.shl(bytes, 20), i32x4.splat(120 << 23));
    const fraction = f32x4.mul(f32x4.convert_i32x4_s(bytes), f32x4.splat(1.0 / 512));
    const scales = v128.bitselect(fraction, normal, i32x4.le_s(bytes, seven));
    const by = f32x4.splat(abs(factor));
    const product = factor < 0 ? f32x4.div(scales, by) : f32x4.mul(scales, by);
    v128.store(to, f32x4.mul(product, f32x4.splat(0.5)));
  }
  for (; to < last; to += 16) v128.store(to, f32x4.splat(0));
}

/** The lowest four nibbles. */
// @ts-ignore: decorator
@inline
function nibblesOf(word: u32): v128 {
  // The products move what belongs to each lane to its highest bits.
  return i32x4.shr_u(i32x4.mul(i32x4.splat(word), i32x4(1 << 28, 1 << 24, 1 << 20, 1 << 16)), 28);
}

/** f16 d, the highest two bits of eight scales, and their low four; the zero of codes is 128. */
function readIq4Xs(s: usize, to: usize, plane: usize): void {
  for (const end = to + plane; to < end; to += 32, s += 8) {
    const d = f32x4.splat(loadHalf(s));
    const high: u32 = load<u16>(s, 2);
    const low = load<u32>(s, 4);
    storeIq4Xs(to, plane, d, low, high);
    storeIq4Xs(to + 16, plane, d, low >> 16, high >> 8);
  }
}

// @ts-ignore: decorator
@inline
function storeIq4Xs(to: usize, plane: usize, d: v128, low: u32, high: u32): void {
  const four = nibblesOf(low);
  const two = i32x4.shr_u(i32x4.mul(i32x4.splat(high), i32x4(1 << 30, 1 << 28, 1 << 26, 1 << 24)), 30);
  const steps = i32x4.sub(v128.or(four, i32x4.shl(two, 4)), i32x4.splat(32));
  storeScales(to, plane, f32x4.mul(f32x4.convert_i32x4_s(steps), d), -128);
}

/** Scales, and the offsets that follow from the code of 0, negated. */
// @ts-ignore: decorator
@inline
function storeScales(to: usize, plane: usize, scales: v128, zero: f32): void {
  v128.store(to, scales);
  v128.store(to + plane, f32x4.mul(scales, f32x4.splat(zero)));
}

/** Blocks of 32 weights, four together. */
function readFours(format: u32, s: usize, to: usize, plane: usize, fours: usize): void {
  const end = to + 16 * fours;
  if (format == MXFP4) {
    for (; to < end; to += 16, s += 4) {
      const bytes = i16x8.extend_low_i8x16_u(v128.load32_zero(s));
      storeScales(to, plane, halfPowers(i32x4.extend_low_i16x8_u(bytes)), -12);
    }
  } else if (format == IQ4_NL) {
    for (; to < end; to += 16, s += 8) storeScales(to, plane, loadHalves(s), -128);
  } else if (format == U4_G32) {
    for (; to < end; to += 16, s += 16) storeZeros(to, plane, v128.load(s));
  } else if (format == Q5_0) {
    for (; to < end; to += 16, s += 24) readQ5_0(s, to, plane);
  } else if (format == Q5_1) {
    for (; to < end; to += 16, s += 32) {
      const low = v128.load(s);
      const high = v128.load(s, 16);
      storePairs(to, plane, v128.shuffle<u32>(low, high, 0, 2, 4, 6));
      v128.store(to + 2 * plane, v128.shuffle<u32>(low, high, 1, 3, 5, 7));
    }
  } else {
    for (; to < end; to += 16, s += 16) storePairs(to, plane, v128.load(s));
  }
}

/** The upper 24 bits of scales, and bytes of zeros. */
// @ts-ignore: decorator
@inline
function storeZeros(to: usize, plane: usize, both: v128): void {
  const scales = v128.and(both, i32x4.splat(0xffffff00));
  const zeros = f32x4.convert_i32x4_s(v128.and(both, i32x4.splat(0xff)));
  v128.store(to, scales);
  v128.store(to + plane, f32x4.neg(f32x4.mul(scales, zeros)));
}

/** Two blocks share three words: fifth bits of each, then both scales. */
// @ts-ignore: decorator
@inline
function readQ5_0(s: usize, to: usize, plane: usize): void {
  const low = v128.load(s);
  const high = v128.load(s, 8);
  const halves = v128.shuffle<u16>(high, high, 0, 0, 0, 1, 0, 6, 0, 7);
  storeScales(to, plane, highHalves(halves), -16);
  v128.store(to + 2 * plane, v128.shuffle<u32>(low, high, 0, 1, 5, 6));
}

/** f16 scales and offsets. */
// @ts-ignore: decorator
@inline
function storePairs(to: usize, plane: usize, pairs: v128): void {
  v128.store(to, highHalves(i32x4.shl(pairs, 16)));
  v128.store(to + plane, highHalves(pairs));
}

/** 2^(exponent - 128); of the first two exponents it is subnormal. */
// @ts-ignore: decorator
@inline
function halfPowers(exponents: v128): v128 {
  const one = i32x4.splat(1);
  const normal = i32x4.shl(i32x4.sub(exponents, one), 23);
  const subnormal = i32x4.shl(i32x4.add(exponents, one), 21);
  return v128.bitselect(subnormal, normal, i32x4.le_s(exponents, one));
}

/** Up to four blocks: behind the last there may be nothing to read. */
function readSome(format: u32, s: usize, to: usize, plane: usize, count: usize): void {
  if (format == Q5_0) {
    v128.store(to, i32x4.splat(0));
    v128.store(to + plane, i32x4.splat(0));
    for (const end = to + 4 * count; to < end; to += 4, s += 6) {
      const isSecond = s & 2;
      const scale = loadHalf(s + 8 - 2 * isSecond);
      store<f32>(to, scale);
      store<f32>(to + plane, -16 * scale);
      store<u32>(to + 2 * plane, load<u32>(s - isSecond));
    }
    return;
  }
  // Four are read where there is room: the planes of bits are written last.
  const room = to + 2 * plane;
  v128.store(room, i32x4.splat(0));
  v128.store(room, i32x4.splat(0), 16);
  memory.copy(room, s, sideBytes(format, 32 * <u32>count));
  readFours(format, room, to, plane, 1);
}
