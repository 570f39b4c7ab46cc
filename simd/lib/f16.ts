/** f16: two weights in each 32-bit lane. Infinities and NaNs come out as 65536 and more. */
import { loadHalves } from './half';
import { held, madd } from './vector';

/**
 * `dot` moves an f16 to where an f32 has exponent and fraction, so it is 2^-112 times its value. Activations make up for
 * 2^64 of that, the sums for the rest: neither leaves the range of f32.
 */
const X_SCALE: f32 = 18446744073709551616.0; // 2^64
const SUM_SCALE: f32 = 281474976710656.0; // 2^48

/** Of each eight activations, those with even numbers, then those with odd ones. */
export function prepare(x: usize, to: usize, cols: u32): void {
  const scale = f32x4.splat(X_SCALE);
  for (let end = x + 4 * cols; x < end; x += 32, to += 32) {
    const a = f32x4.mul(v128.load(x), scale);
    const b = f32x4.mul(v128.load(x, 16), scale);
    v128.store(to, v128.shuffle<u32>(a, b, 0, 2, 4, 6));
    v128.store(to, v128.shuffle<u32>(a, b, 1, 3, 5, 7), 16);
  }
}

/** Sums, in four lanes, of the products of a row of weights with prepared activations. */
export function dot(x: usize, w: usize, cols: u32): v128 {
  const mask = held(0x8fffe000, cols);
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  for (const end = w + 2 * (cols & ~15); w < end; w += 32, x += 64) {
    a0 = madd(evenHalves(w, mask), v128.load(x), a0);
    a1 = madd(oddHalves(w, mask), v128.load(x, 16), a1);
    a2 = madd(evenHalves(w + 16, mask), v128.load(x, 32), a2);
    a3 = madd(oddHalves(w + 16, mask), v128.load(x, 48), a3);
  }
  if (cols & 8) {
    a0 = madd(evenHalves(w, mask), v128.load(x), a0);
    a1 = madd(oddHalves(w, mask), v128.load(x, 16), a1);
  }
  return f32x4.mul(f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3)), f32x4.splat(SUM_SCALE));
}

// @ts-ignore: decorator
@inline
function evenHalves(w: usize, mask: v128): v128 {
  return v128.and(i32x4.shr_s(i32x4.shl(v128.load(w), 16), 3), mask);
}

// @ts-ignore: decorator
@inline
function oddHalves(w: usize, mask: v128): v128 {
  return v128.and(i32x4.shr_s(v128.load(w), 3), mask);
}

/** `cols` weights of a row as f32. */
export function unpack(w: usize, to: usize, cols: u32): void {
  for (let end = w + 2 * cols; w < end; w += 8, to += 16) v128.store(to, loadHalves(w));
}

/** y += factor * w */
export function addScaled(y: usize, w: usize, factor: f32, cols: u32): void {
  const factors = f32x4.splat(factor);
  for (let end = w + 2 * cols; w < end; w += 16, y += 32) {
    v128.store(y, madd(loadHalves(w), factors, v128.load(y)));
    v128.store(y, madd(loadHalves(w + 8), factors, v128.load(y, 16)), 16);
  }
}
