/** What units of 32 weights have beside their low four bits: the second plane of src/weights/coded-blocks.ts. */
import { loadHalf } from './half';
import { IQ4_NL, IQ4_XS, MXFP4, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K } from './numbers';
import { joinHigh, joinLow, zipHigh, zipLow } from './vector';

/** Bytes of a side as `readSides` writes it. */
export const SIDE: usize = 16;

/** Bytes of the second plane of `cols` weights of a row. Blocks whose sides are grouped have equal parts of the group. */
export function sideBytes(format: u32, cols: u32): usize {
  if (format == Q6_K) return (cols / 256) * 84;
  if (format == Q5_K || format == Q5_0) return (cols / 32) * 6;
  if (format == Q5_1) return cols / 4;
  if (format == Q4_1) return cols / 8;
  return format == MXFP4 || format == IQ4_XS ? cols / 32 : cols / 16;
}

/**
 * Writes the sides of a row's units, 16 bytes each: the f32 scale and offset of w = scale * code + offset, and a word of high
 * bits. q6_k: the scales of both halves, and a word of high bits of each.
 */
export function readSides(format: u32, s: usize, to: usize, units: usize): void {
  const end = to + SIDE * units;
  if (format == Q6_K) readQ6K(s, to, end);
  else if (format == Q4_K || format == Q5_K) readK(format == Q5_K, s, to, end);
  else if (format == IQ4_XS) readIq4Xs(s, to, end);
  else readSingly(format, s, to, end);
}

/** q4_k and q5_k: f16 d and dmin, 12 bytes of scales and minimums (src/weights/k-scales.ts), words of fifth bits. */
function readK(hasFifths: bool, s: usize, to: usize, end: usize): void {
  for (; to < end; to += 8 * SIDE, s += hasFifths ? 48 : 16) {
    const d = f32x4.splat(loadHalf(s));
    const dmin = f32x4.splat(-loadHalf(s + 2));
    const scales = load<u32>(s, 4);
    const minimums = load<u32>(s, 8);
    const nibbles = load<u32>(s, 12);
    const highScales = (nibbles & 0x0f0f0f0f) | ((scales >> 2) & 0x30303030);
    const highMinimums = ((nibbles >> 4) & 0x0f0f0f0f) | ((minimums >> 2) & 0x30303030);
    const fifths = hasFifths ? s + 16 : s; // of the others: whatever is there
    storeFour(to, timesBytes(d, scales & 0x3f3f3f3f), timesBytes(dmin, minimums & 0x3f3f3f3f), fifths);
    storeFour(to + 4 * SIDE, timesBytes(d, highScales), timesBytes(dmin, highMinimums), hasFifths ? s + 32 : s);
  }
}

/** Four signed bytes as f32, multiplied. */
// @ts-ignore: decorator
@inline
function timesBytes(factor: v128, bytes: u32): v128 {
  const words = i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(i32x4.splat(bytes)));
  return f32x4.mul(f32x4.convert_i32x4_s(words), factor);
}

function storeFour(to: usize, scales: v128, offsets: v128, fifths: usize): void {
  const bits = v128.load(fifths);
  const low = zipLow(scales, offsets);
  const high = zipHigh(scales, offsets);
  const lowBits = zipLow(bits, bits);
  const highBits = zipHigh(bits, bits);
  v128.store(to, joinLow(low, lowBits));
  v128.store(to, joinHigh(low, lowBits), 16);
  v128.store(to, joinLow(high, highBits), 32);
  v128.store(to, joinHigh(high, highBits), 48);
}

/** Two words of high bits for each unit, a signed byte of scale for each half of one, f16 d. */
function readQ6K(s: usize, to: usize, end: usize): void {
  for (; to < end; s += 84) {
    const d = f32x4.splat(loadHalf(s + 80));
    let scalesAt = s + 64;
    for (let at = s; at < s + 64; at += 16, scalesAt += 4, to += 2 * SIDE) {
      const scales = timesBytes(d, load<u32>(scalesAt));
      const bits = v128.load(at);
      v128.store(to, joinLow(scales, bits));
      v128.store(to, joinHigh(scales, bits), 16);
    }
  }
}

/** f16 d, the highest two bits of eight scales, and their low four; the zero of codes is 128. */
function readIq4Xs(s: usize, to: usize, end: usize): void {
  for (; to < end; s += 8) {
    const d = loadHalf(s);
    let high: u32 = load<u16>(s, 2);
    let low = load<u32>(s, 4);
    for (const last = to + 8 * SIDE; to < last; to += SIDE, low >>= 4, high >>= 2) {
      const scale = d * <f32>(<i32>((low & 15) | ((high & 3) << 4)) - 32);
      storeSide(to, scale, -128 * scale);
    }
  }
}

/** Formats of blocks of 32 weights. */
function readSingly(format: u32, s: usize, to: usize, end: usize): void {
  const step = sideBytes(format, 32);
  for (; to < end; to += SIDE, s += step) {
    if (format == MXFP4) {
      const scale = halfPower(load<u8>(s));
      storeSide(to, scale, -16 * scale);
    } else if (format == IQ4_NL) {
      const scale = loadHalf(s);
      storeSide(to, scale, -128 * scale);
    } else if (format == Q5_0) {
      // Two blocks share three words: fifth bits of each, then both scales. The second one's part begins amid a word.
      const scale = loadHalf(s + 8 - 2 * (s & 2));
      storeSide(to, scale, -16 * scale);
      store<u32>(to, load<u32>(s - (s & 2)), 8);
    } else {
      storeSide(to, loadHalf(s), loadHalf(s + 2));
      if (format == Q5_1) store<u32>(to, load<u32>(s, 4), 8);
    }
  }
}

// @ts-ignore: decorator
@inline
function storeSide(to: usize, scale: f32, offset: f32): void {
  store<f32>(to, scale);
  store<f32>(to, offset, 4);
}

/** 2^(exponent - 128); of the first two exponents it is subnormal. */
// @ts-ignore: decorator
@inline
function halfPower(exponent: u32): f32 {
  return reinterpret<f32>(exponent < 2 ? 0x200000 << exponent : (exponent - 1) << 23);
}
