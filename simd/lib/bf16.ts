/** bf16: the upper half of an f32. */
import { madd } from './vector';

/** Sums, in four lanes, of the products of a row of weights with activations. */
export function dot(x: usize, w: usize, cols: u32): v128 {
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  for (const end = w + 2 * (cols & ~15); w < end; w += 32, x += 64) {
    a0 = madd(lowHalves(w), v128.load(x), a0);
    a1 = madd(highHalves(w), v128.load(x, 16), a1);
    a2 = madd(lowHalves(w + 16), v128.load(x, 32), a2);
    a3 = madd(highHalves(w + 16), v128.load(x, 48), a3);
  }
  if (cols & 8) {
    a0 = madd(lowHalves(w), v128.load(x), a0);
    a1 = madd(highHalves(w), v128.load(x, 16), a1);
  }
  return f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3));
}

/** Weights 0 to 3 of eight: each behind sixteen zero bits. */
// @ts-ignore: decorator
@inline
function lowHalves(w: usize): v128 {
  return v128.shuffle<u16>(i32x4.splat(0), v128.load(w), 0, 8, 1, 9, 2, 10, 3, 11);
}

// @ts-ignore: decorator
@inline
function highHalves(w: usize): v128 {
  return v128.shuffle<u16>(i32x4.splat(0), v128.load(w), 4, 12, 5, 13, 6, 14, 7, 15);
}

/** `cols` weights of a row as f32. */
export function unpack(w: usize, to: usize, cols: u32): void {
  for (let end = w + 2 * cols; w < end; w += 16, to += 32) {
    v128.store(to, lowHalves(w));
    v128.store(to, highHalves(w), 16);
  }
}

/** y += factor * w */
export function addScaled(y: usize, w: usize, factor: f32, cols: u32): void {
  const factors = f32x4.splat(factor);
  for (let end = w + 2 * cols; w < end; w += 16, y += 32) {
    v128.store(y, madd(lowHalves(w), factors, v128.load(y)));
    v128.store(y, madd(highHalves(w), factors, v128.load(y, 16)), 16);
  }
}
