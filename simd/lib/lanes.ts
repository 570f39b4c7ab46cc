import { joinHigh, joinLow, madd, zipHigh, zipLow } from './vector';

/**
 * Activations in the order of 8-bit and 4-bit weights within 32-bit lanes.
 *
 * A load of 16 bytes is four lanes, and byte i of lane l is byte 4 l + i of memory. Masks cut it out where it is, as a number
 * that is 256^i (a nibble: 16^i) times too large, and activations in that order, divided by the same power of two, make up
 * for it. Both are exact, and neither a shift nor an extension is needed for each four weights.
 */

/** Bytes of 32 prepared activations: what their sum adds for the weights' zero point, then eight quads. */
export const X_BLOCK: usize = 144;

/** Prepared activations of `cols` columns: activation 4 l + i of each 16 is lane l of quad i, multiplied by factor_i. */
export function prepareLanes(
  x: usize,
  to: usize,
  cols: u32,
  zero: f32, // the zero point of the weights, negated
  step: usize, // bytes between quads of one half
  halfStep: usize, // bytes between the two halves of 16
  f0: v128, // factors of quads 0 to 3 of the first half
  f1: v128, // and of the second
): void {
  for (let end = x + 4 * cols; x < end; x += 128, to += X_BLOCK) {
    const first = prepareHalf(x, to + 16, step, f0);
    const second = prepareHalf(x + 64, to + 16 + halfStep, step, f1);
    v128.store(to, f32x4.mul(f32x4.add(first, second), f32x4.splat(zero)));
  }
}

/** @returns the sums of four activations each: lane l of activations 4 l to 4 l + 3 */
export function prepareHalf(x: usize, to: usize, step: usize, factors: v128): v128 {
  const a = v128.load(x);
  const b = v128.load(x, 16);
  const c = v128.load(x, 32);
  const d = v128.load(x, 48);
  const lowAB = zipLow(a, b);
  const highAB = zipHigh(a, b);
  const lowCD = zipLow(c, d);
  const highCD = zipHigh(c, d);
  const q0 = joinLow(lowAB, lowCD);
  const q1 = joinHigh(lowAB, lowCD);
  const q2 = joinLow(highAB, highCD);
  const q3 = joinHigh(highAB, highCD);
  v128.store(to, f32x4.mul(q0, v128.shuffle<u32>(factors, factors, 0, 0, 0, 0)));
  v128.store(to + step, f32x4.mul(q1, v128.shuffle<u32>(factors, factors, 1, 1, 1, 1)));
  v128.store(to + 2 * step, f32x4.mul(q2, v128.shuffle<u32>(factors, factors, 2, 2, 2, 2)));
  v128.store(to + 3 * step, f32x4.mul(q3, v128.shuffle<u32>(factors, factors, 3, 3, 3, 3)));
  return f32x4.add(f32x4.add(q0, q1), f32x4.add(q2, q3));
}

/** Stores activations 4 l + i from lane l of quad i: the order of memory. */
export function storeLanes(to: usize, q0: v128, q1: v128, q2: v128, q3: v128): void {
  const low01 = zipLow(q0, q1);
  const high01 = zipHigh(q0, q1);
  const low23 = zipLow(q2, q3);
  const high23 = zipHigh(q2, q3);
  v128.store(to, joinLow(low01, low23));
  v128.store(to, joinHigh(low01, low23), 16);
  v128.store(to, joinLow(high01, high23), 32);
  v128.store(to, joinHigh(high01, high23), 48);
}

/** The first product of a block's second half: of a second sum in the relaxed build, where two short chains are faster. */
// @ts-ignore: decorator
@inline
export function secondSum(a: v128, b: v128, first: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.mul(a, b) : madd(a, b, first);
}

/** The sum of a block, `second` having begun as `secondSum`. */
// @ts-ignore: decorator
@inline
export function bothSums(first: v128, second: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.add(first, second) : second;
}
