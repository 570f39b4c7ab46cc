/**
 * Products of quantised weights with activations that are quantised, too: blocks of 32 signed bytes with an f32 scale, the way
 * of llama.cpp. The relaxed build multiplies bytes, the plain one 16-bit numbers; both add up whole numbers, so they agree.
 */
import { decodeScales } from './half';
import { held, madd, sumLanes } from './vector';

// Bytes of a block of activations: its scale; 16 bytes on, what is added to the sum for the weights' zero point; the numbers,
// and for q8_0 in the relaxed build their signs.
const AT: usize = 32;
const X_Q4: usize = ASC_FEATURE_RELAXED_SIMD ? AT + 32 : AT + 64;
const X_Q8: usize = AT + 64;

/** The factor that makes the largest of 32 activations 127; stores its inverse. */
function scaleOf(x: usize, to: usize): v128 {
  let most = f32x4.splat(0);
  for (let end = x + 128; x < end; x += 16) most = f32x4.max(most, f32x4.abs(v128.load(x)));
  most = f32x4.max(most, v128.shuffle<u32>(most, most, 2, 3, 0, 1));
  const largest = max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1));
  store<f32>(to, largest / 127);
  return f32x4.splat(largest == 0 ? 0 : 127 / largest);
}

/** Eight activations as 16-bit numbers. */
// @ts-ignore: decorator
@inline
function round8(x: usize, factor: v128): v128 {
  const low = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(x), factor)));
  const high = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(x, 16), factor)));
  return i16x8.narrow_i32x4_s(low, high);
}

export function prepareQ4(x: usize, to: usize, cols: u32): void {
  const ones = i16x8.splat(1);
  for (let end = x + 4 * cols; x < end; x += 128, to += X_Q4) {
    const factor = scaleOf(x, to);
    const a = round8(x, factor);
    const b = round8(x + 32, factor);
    const c = round8(x + 64, factor);
    const d = round8(x + 96, factor);
    const sums = i32x4.dot_i16x8_s(i16x8.add(i16x8.add(a, b), i16x8.add(c, d)), ones);
    v128.store(to, i32x4.mul(sums, i32x4.splat(-8)), 16);
    if (ASC_FEATURE_RELAXED_SIMD) {
      v128.store(to, i8x16.narrow_i16x8_s(a, b), AT);
      v128.store(to, i8x16.narrow_i16x8_s(c, d), AT + 16);
    } else {
      // Nibbles 0 to 3 of 16-bit lanes are weights 2 l, 16 + 2 l, 2 l + 1 and 17 + 2 l.
      v128.store(to, v128.shuffle<u16>(a, b, 0, 2, 4, 6, 8, 10, 12, 14), AT);
      v128.store(to, v128.shuffle<u16>(c, d, 0, 2, 4, 6, 8, 10, 12, 14), AT + 16);
      v128.store(to, v128.shuffle<u16>(a, b, 1, 3, 5, 7, 9, 11, 13, 15), AT + 32);
      v128.store(to, v128.shuffle<u16>(c, d, 1, 3, 5, 7, 9, 11, 13, 15), AT + 48);
    }
  }
}

export function prepareQ8(x: usize, to: usize, cols: u32): void {
  for (let end = x + 4 * cols; x < end; x += 128, to += X_Q8) {
    const factor = scaleOf(x, to);
    const a = round8(x, factor);
    const b = round8(x + 32, factor);
    const c = round8(x + 64, factor);
    const d = round8(x + 96, factor);
    if (ASC_FEATURE_RELAXED_SIMD) {
      // One factor of a product has to be positive: the activation, whose sign the weight takes over.
      const low = i8x16.narrow_i16x8_s(a, b);
      const high = i8x16.narrow_i16x8_s(c, d);
      v128.store(to, i8x16.abs(low), AT);
      v128.store(to, i8x16.abs(high), AT + 16);
      v128.store(to, i8x16.shr_s(low, 7), AT + 32);
      v128.store(to, i8x16.shr_s(high, 7), AT + 48);
    } else {
      v128.store(to, a, AT);
      v128.store(to, b, AT + 16);
      v128.store(to, c, AT + 32);
      v128.store(to, d, AT + 48);
    }
  }
}

/** As dot4 of q4_0.ts, of activations from `prepareQ4`. */
export function dot4Q4(
  x: usize,
  w0: usize,
  w1: usize,
  w2: usize,
  w3: usize,
  s0: usize,
  s1: usize,
  s2: usize,
  s3: usize,
  scales: usize,
  blocks: u32,
): v128 {
  decodeScales(s0, s1, s2, s3, scales, blocks);
  const mask = held(ASC_FEATURE_RELAXED_SIMD ? 0x0f0f0f0f : 0x000f000f, blocks);
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  for (let end = scales + 16 * blocks; scales < end; scales += 16) {
    const scale = f32x4.mul(v128.load(scales), v128.load_splat<f32>(x));
    a0 = madd(blockQ4(x, w0, mask), v128.shuffle<u32>(scale, scale, 0, 0, 0, 0), a0);
    a1 = madd(blockQ4(x, w1, mask), v128.shuffle<u32>(scale, scale, 1, 1, 1, 1), a1);
    a2 = madd(blockQ4(x, w2, mask), v128.shuffle<u32>(scale, scale, 2, 2, 2, 2), a2);
    a3 = madd(blockQ4(x, w3, mask), v128.shuffle<u32>(scale, scale, 3, 3, 3, 3), a3);
    x += X_Q4;
    w0 += 16;
    w1 += 16;
    w2 += 16;
    w3 += 16;
  }
  return sumLanes(a0, a1, a2, a3);
}

// @ts-ignore: decorator
@inline
function blockQ4(x: usize, w: usize, mask: v128): v128 {
  const nibbles = v128.load(w);
  let sum = v128.load(x, 16);
  if (ASC_FEATURE_RELAXED_SIMD) {
    const low = v128.and(nibbles, mask);
    const high = v128.and(i16x8.shr_u(nibbles, 4), mask);
    sum = i32x4.relaxed_dot_i8x16_i7x16_add_s(v128.load(x, AT), low, sum);
    sum = i32x4.relaxed_dot_i8x16_i7x16_add_s(v128.load(x, AT + 16), high, sum);
  } else {
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.and(nibbles, mask), v128.load(x, AT)));
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.and(i16x8.shr_u(nibbles, 4), mask), v128.load(x, AT + 16)));
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.and(i16x8.shr_u(nibbles, 8), mask), v128.load(x, AT + 32)));
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.shr_u(nibbles, 12), v128.load(x, AT + 48)));
  }
  return f32x4.convert_i32x4_s(sum);
}

/** As dot4 of q4_0.ts, of weights of q8_0 and activations from `prepareQ8`. */
export function dot4Q8(
  x: usize,
  w0: usize,
  w1: usize,
  w2: usize,
  w3: usize,
  s0: usize,
  s1: usize,
  s2: usize,
  s3: usize,
  scales: usize,
  blocks: u32,
): v128 {
  decodeScales(s0, s1, s2, s3, scales, blocks);
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  for (let end = scales + 16 * blocks; scales < end; scales += 16) {
    const scale = f32x4.mul(v128.load(scales), v128.load_splat<f32>(x));
    a0 = madd(blockQ8(x, w0), v128.shuffle<u32>(scale, scale, 0, 0, 0, 0), a0);
    a1 = madd(blockQ8(x, w1), v128.shuffle<u32>(scale, scale, 1, 1, 1, 1), a1);
    a2 = madd(blockQ8(x, w2), v128.shuffle<u32>(scale, scale, 2, 2, 2, 2), a2);
    a3 = madd(blockQ8(x, w3), v128.shuffle<u32>(scale, scale, 3, 3, 3, 3), a3);
    x += X_Q8;
    w0 += 32;
    w1 += 32;
    w2 += 32;
    w3 += 32;
  }
  return sumLanes(a0, a1, a2, a3);
}

// @ts-ignore: decorator
@inline
function blockQ8(x: usize, w: usize): v128 {
  let sum = i32x4.splat(0);
  if (ASC_FEATURE_RELAXED_SIMD) {
    sum = i32x4.relaxed_dot_i8x16_i7x16_add_s(
      withSign(v128.load(w), v128.load(x, AT + 32)),
      v128.load(x, AT),
      sum,
    );
    const high = withSign(v128.load(w, 16), v128.load(x, AT + 48));
    sum = i32x4.relaxed_dot_i8x16_i7x16_add_s(high, v128.load(x, AT + 16), sum);
  } else {
    sum = i32x4.dot_i16x8_s(v128.load_ext<i8>(w), v128.load(x, AT));
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.load_ext<i8>(w, 8), v128.load(x, AT + 16)));
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.load_ext<i8>(w, 16), v128.load(x, AT + 32)));
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.load_ext<i8>(w, 24), v128.load(x, AT + 48)));
  }
  return f32x4.convert_i32x4_s(sum);
}

/** w, or -w where `sign` is all ones; 127 for 128. */
// @ts-ignore: decorator
@inline
function withSign(w: v128, sign: v128): v128 {
  return i8x16.sub_sat_s(v128.xor(w, sign), sign);
}
