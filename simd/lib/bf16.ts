/** bf16: the upper half of an f32. */
import { madd, sumLanes } from './vector';

/** The products of four rows of weights with activations. */
export function dot4(x: usize, w0: usize, w1: usize, w2: usize, w3: usize, cols: u32): v128 {
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  let b0 = a0;
  let b1 = a0;
  let b2 = a0;
  let b3 = a0;
  for (let end = x + 4 * cols; x < end; x += 32) {
    const low = v128.load(x);
    const high = v128.load(x, 16);
    a0 = madd(lowHalves(w0), low, a0);
    b0 = madd(highHalves(w0), high, b0);
    a1 = madd(lowHalves(w1), low, a1);
    b1 = madd(highHalves(w1), high, b1);
    a2 = madd(lowHalves(w2), low, a2);
    b2 = madd(highHalves(w2), high, b2);
    a3 = madd(lowHalves(w3), low, a3);
    b3 = madd(highHalves(w3), high, b3);
    w0 += 16;
    w1 += 16;
    w2 += 16;
    w3 += 16;
  }
  return sumLanes(f32x4.add(a0, b0), f32x4.add(a1, b1), f32x4.add(a2, b2), f32x4.add(a3, b3));
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
