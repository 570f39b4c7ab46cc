/** Q4_0: see src/weights/formats/q4_0.ts. */
import { loadHalf, loadHalves } from './half';
import { bothSums, prepareLanes, secondSum, storeLanes, X_BLOCK } from './lanes';
import { held, madd, splat0, splat1, splat2, splat3 } from './vector';

/** Nibble 2 i + half of lane l is weight 16 half + 4 l + i. `blockDot` shifts nibbles 4 to 7 down by four places. */
export function prepare(x: usize, to: usize, cols: u32): void {
  prepareLanes(
    x,
    to,
    cols,
    -8,
    32,
    16,
    f32x4(1, 1.0 / 256, 1, 1.0 / 256),
    f32x4(1.0 / 16, 1.0 / 4096, 1.0 / 16, 1.0 / 4096),
  );
}

/** Sums, in four lanes, of the products of a row of weights with `blocks` blocks of prepared activations. */
export function dot(x: usize, w: usize, s: usize, blocks: u32): v128 {
  const m0 = held(0xf, blocks);
  const m1 = i32x4.shl(m0, 4);
  const m2 = i32x4.shl(m0, 8);
  const m3 = i32x4.shl(m0, 12);
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  for (const end = w + 16 * (blocks & ~3); w < end; w += 64, s += 8, x += 4 * X_BLOCK) {
    const scales = loadHalves(s);
    a0 = madd(blockDot(x, v128.load(w), m0, m1, m2, m3), splat0(scales), a0);
    a1 = madd(blockDot(x + X_BLOCK, v128.load(w, 16), m0, m1, m2, m3), splat1(scales), a1);
    a2 = madd(blockDot(x + 2 * X_BLOCK, v128.load(w, 32), m0, m1, m2, m3), splat2(scales), a2);
    a3 = madd(blockDot(x + 3 * X_BLOCK, v128.load(w, 48), m0, m1, m2, m3), splat3(scales), a3);
  }
  for (const end = w + 16 * (blocks & 3); w < end; w += 16, s += 2, x += X_BLOCK) {
    a0 = madd(blockDot(x, v128.load(w), m0, m1, m2, m3), f32x4.splat(loadHalf(s)), a0);
  }
  return f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3));
}

/** Sums of products of a block's weights, without the scale; the masks are of nibbles 0 to 3. */
// @ts-ignore: decorator
@inline
function blockDot(x: usize, low: v128, m0: v128, m1: v128, m2: v128, m3: v128): v128 {
  const high = i32x4.shr_u(low, 16);
  let sum = madd(f32x4.convert_i32x4_s(v128.and(low, m0)), v128.load(x, 16), v128.load(x));
  sum = madd(f32x4.convert_i32x4_s(v128.and(low, m1)), v128.load(x, 32), sum);
  sum = madd(f32x4.convert_i32x4_s(v128.and(low, m2)), v128.load(x, 48), sum);
  sum = madd(f32x4.convert_i32x4_s(v128.and(low, m3)), v128.load(x, 64), sum);
  let rest = secondSum(f32x4.convert_i32x4_s(v128.and(high, m0)), v128.load(x, 80), sum);
  rest = madd(f32x4.convert_i32x4_s(v128.and(high, m1)), v128.load(x, 96), rest);
  rest = madd(f32x4.convert_i32x4_s(v128.and(high, m2)), v128.load(x, 112), rest);
  rest = madd(f32x4.convert_i32x4_s(v128.and(high, m3)), v128.load(x, 128), rest);
  return bothSums(sum, rest);
}

/** `cols` weights of a row as f32. */
export function unpack(w: usize, s: usize, to: usize, cols: u32): void {
  for (let end = w + cols / 2; w < end; w += 16, s += 2, to += 128) {
    const scale = f32x4.splat(loadHalf(s));
    const zero = f32x4.mul(scale, f32x4.splat(-8));
    const bytes = v128.load(w);
    const mask = i8x16.splat(0xf);
    unpack16(v128.and(bytes, mask), scale, zero, to);
    unpack16(v128.and(i16x8.shr_u(bytes, 4), mask), scale, zero, to + 64);
  }
}

// @ts-ignore: decorator
@inline
function unpack16(bytes: v128, scale: v128, zero: v128, to: usize): void {
  const low = i16x8.extend_low_i8x16_u(bytes);
  const high = i16x8.extend_high_i8x16_u(bytes);
  v128.store(to, madd(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(low)), scale, zero));
  v128.store(to, madd(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(low)), scale, zero), 16);
  v128.store(to, madd(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(high)), scale, zero), 32);
  v128.store(to, madd(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(high)), scale, zero), 48);
}

/**
 * Stores the sum of one block of many rows, each multiplied by its factor, in their order.
 *
 * @param list - of rows, 12 bytes each: the addresses of weights and scales, and the factor
 */
export function sumBlock(list: usize, end: usize, block: usize, y: usize): void {
  const m0 = held(0xf, <u32>block);
  const m1 = i32x4.shl(m0, 4);
  const m2 = i32x4.shl(m0, 8);
  const m3 = i32x4.shl(m0, 12);
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  let b0 = a0;
  let b1 = a0;
  let b2 = a0;
  let b3 = a0;
  let zero: f32 = 0;
  for (; list < end; list += 12) {
    const scaled = load<f32>(list, 8) * loadHalf(load<usize>(list, 4) + 2 * block);
    const factor = f32x4.splat(scaled);
    const low = v128.load(load<usize>(list) + 16 * block);
    const high = i32x4.shr_u(low, 16);
    a0 = madd(f32x4.convert_i32x4_s(v128.and(low, m0)), factor, a0);
    b0 = madd(f32x4.convert_i32x4_s(v128.and(low, m1)), factor, b0);
    a1 = madd(f32x4.convert_i32x4_s(v128.and(low, m2)), factor, a1);
    b1 = madd(f32x4.convert_i32x4_s(v128.and(low, m3)), factor, b1);
    a2 = madd(f32x4.convert_i32x4_s(v128.and(high, m0)), factor, a2);
    b2 = madd(f32x4.convert_i32x4_s(v128.and(high, m1)), factor, b2);
    a3 = madd(f32x4.convert_i32x4_s(v128.and(high, m2)), factor, a3);
    b3 = madd(f32x4.convert_i32x4_s(v128.and(high, m3)), factor, b3);
    zero += scaled;
  }
  const offset = f32x4.splat(-8 * zero);
  const f0 = f32x4.splat(1);
  const f1 = f32x4.splat(1.0 / 16);
  const f2 = f32x4.splat(1.0 / 256);
  const f3 = f32x4.splat(1.0 / 4096);
  storeLanes(y, madd(a0, f0, offset), madd(a1, f2, offset), madd(a2, f0, offset), madd(a3, f2, offset));
  storeLanes(y + 64, madd(b0, f1, offset), madd(b1, f3, offset), madd(b2, f1, offset), madd(b3, f3, offset));
}
