/**
 * Products of quantised weights with activations that are quantised, too: blocks of 32 signed bytes with an f32 scale, the way
 * of llama.cpp. The relaxed build multiplies bytes, the plain one 16-bit numbers; both add up whole numbers, so they agree.
 */
import { loadHalf, loadHalves } from './half';
import { held, madd, splat0, splat1, splat2, splat3 } from './vector';

// Bytes of a block of activations: of q4_0 first what is added to the sum for the weights' zero point; the numbers; of q8_0 in
// the relaxed build their signs.
const X_Q4: usize = ASC_FEATURE_RELAXED_SIMD ? 48 : 80;
const X_Q8: usize = 64;

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

/** Quantises activations; their scales go to `scales`. */
export function prepareQ4(x: usize, to: usize, scales: usize, cols: u32): void {
  const ones = i16x8.splat(1);
  for (let end = x + 4 * cols; x < end; x += 128, to += X_Q4, scales += 4) {
    const factor = scaleOf(x, scales);
    const a = round8(x, factor);
    const b = round8(x + 32, factor);
    const c = round8(x + 64, factor);
    const d = round8(x + 96, factor);
    const sums = i32x4.dot_i16x8_s(i16x8.add(i16x8.add(a, b), i16x8.add(c, d)), ones);
    v128.store(to, i32x4.mul(sums, i32x4.splat(-8)));
    if (ASC_FEATURE_RELAXED_SIMD) {
      v128.store(to, i8x16.narrow_i16x8_s(a, b), 16);
      v128.store(to, i8x16.narrow_i16x8_s(c, d), 32);
    } else {
      // Nibbles 0 to 3 of 16-bit lanes are weights 2 l, 16 + 2 l, 2 l + 1 and 17 + 2 l.
      v128.store(to, v128.shuffle<u16>(a, b, 0, 2, 4, 6, 8, 10, 12, 14), 16);
      v128.store(to, v128.shuffle<u16>(c, d, 0, 2, 4, 6, 8, 10, 12, 14), 32);
      v128.store(to, v128.shuffle<u16>(a, b, 1, 3, 5, 7, 9, 11, 13, 15), 48);
      v128.store(to, v128.shuffle<u16>(c, d, 1, 3, 5, 7, 9, 11, 13, 15), 64);
    }
  }
}

export function prepareQ8(x: usize, to: usize, scales: usize, cols: u32): void {
  for (let end = x + 4 * cols; x < end; x += 128, to += X_Q8, scales += 4) {
    const factor = scaleOf(x, scales);
    const a = round8(x, factor);
    const b = round8(x + 32, factor);
    const c = round8(x + 64, factor);
    const d = round8(x + 96, factor);
    if (ASC_FEATURE_RELAXED_SIMD) {
      // One factor of a product has to be positive: the activation, whose sign the weight takes over.
      const low = i8x16.narrow_i16x8_s(a, b);
      const high = i8x16.narrow_i16x8_s(c, d);
      v128.store(to, i8x16.abs(low));
      v128.store(to, i8x16.abs(high), 16);
      v128.store(to, i8x16.shr_s(low, 7), 32);
      v128.store(to, i8x16.shr_s(high, 7), 48);
    } else {
      v128.store(to, a);
      v128.store(to, b, 16);
      v128.store(to, c, 32);
      v128.store(to, d, 48);
    }
  }
}

/** As dot of q4_0.ts, of activations from `prepareQ4`. */
export function dotQ4(x: usize, scales: usize, w: usize, s: usize, blocks: u32): v128 {
  const mask = held(ASC_FEATURE_RELAXED_SIMD ? 0x0f0f0f0f : 0x000f000f, blocks);
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  for (const end = w + 16 * (blocks & ~3); w < end; w += 64, s += 8, x += 4 * X_Q4, scales += 16) {
    const scale = f32x4.mul(loadHalves(s), v128.load(scales));
    a0 = madd(blockQ4(x, w, mask), splat0(scale), a0);
    a1 = madd(blockQ4(x + X_Q4, w + 16, mask), splat1(scale), a1);
    a2 = madd(blockQ4(x + 2 * X_Q4, w + 32, mask), splat2(scale), a2);
    a3 = madd(blockQ4(x + 3 * X_Q4, w + 48, mask), splat3(scale), a3);
  }
  for (const end = w + 16 * (blocks & 3); w < end; w += 16, s += 2, x += X_Q4, scales += 4) {
    a0 = madd(blockQ4(x, w, mask), f32x4.splat(loadHalf(s) * load<f32>(scales)), a0);
  }
  return f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3));
}

// @ts-ignore: decorator
@inline
function blockQ4(x: usize, w: usize, mask: v128): v128 {
  const nibbles = v128.load(w);
  let sum = v128.load(x);
  if (ASC_FEATURE_RELAXED_SIMD) {
    const low = v128.and(nibbles, mask);
    const high = v128.and(i16x8.shr_u(nibbles, 4), mask);
    sum = i32x4.relaxed_dot_i8x16_i7x16_add_s(v128.load(x, 16), low, sum);
    sum = i32x4.relaxed_dot_i8x16_i7x16_add_s(v128.load(x, 32), high, sum);
  } else {
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.and(nibbles, mask), v128.load(x, 16)));
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.and(i16x8.shr_u(nibbles, 4), mask), v128.load(x, 32)));
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.and(i16x8.shr_u(nibbles, 8), mask), v128.load(x, 48)));
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.shr_u(nibbles, 12), v128.load(x, 64)));
  }
  return f32x4.convert_i32x4_s(sum);
}

/** As dot of q8_0.ts, of activations from `prepareQ8`. */
export function dotQ8(x: usize, scales: usize, w: usize, s: usize, blocks: u32): v128 {
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  for (const end = w + 32 * (blocks & ~3); w < end; w += 128, s += 8, x += 4 * X_Q8, scales += 16) {
    const scale = f32x4.mul(loadHalves(s), v128.load(scales));
    a0 = madd(blockQ8(x, w), splat0(scale), a0);
    a1 = madd(blockQ8(x + X_Q8, w + 32), splat1(scale), a1);
    a2 = madd(blockQ8(x + 2 * X_Q8, w + 64), splat2(scale), a2);
    a3 = madd(blockQ8(x + 3 * X_Q8, w + 96), splat3(scale), a3);
  }
  for (const end = w + 32 * (blocks & 3); w < end; w += 32, s += 2, x += X_Q8, scales += 4) {
    a0 = madd(blockQ8(x, w), f32x4.splat(loadHalf(s) * load<f32>(scales)), a0);
  }
  return f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3));
}

// @ts-ignore: decorator
@inline
function blockQ8(x: usize, w: usize): v128 {
  let sum = i32x4.splat(0);
  if (ASC_FEATURE_RELAXED_SIMD) {
    sum = i32x4.relaxed_dot_i8x16_i7x16_add_s(withSign(v128.load(w), v128.load(x, 32)), v128.load(x), sum);
    const high = withSign(v128.load(w, 16), v128.load(x, 48));
    sum = i32x4.relaxed_dot_i8x16_i7x16_add_s(high, v128.load(x, 16), sum);
  } else {
    sum = i32x4.dot_i16x8_s(v128.load_ext<i8>(w), v128.load(x));
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.load_ext<i8>(w, 8), v128.load(x, 16)));
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.load_ext<i8>(w, 16), v128.load(x, 32)));
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.load_ext<i8>(w, 24), v128.load(x, 48)));
  }
  return f32x4.convert_i32x4_s(sum);
}

/** w, or -w where `sign` is all ones; 127 for 128. */
// @ts-ignore: decorator
@inline
function withSign(w: v128, sign: v128): v128 {
  return i8x16.sub_sat_s(v128.xor(w, sign), sign);
}
