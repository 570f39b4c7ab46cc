/** f32, of any number of columns. */
import { loadQuad, madd, storeQuad, sumLanes } from './vector';

/** Sums, in four lanes, of the products of a row of weights with activations. */
export function dot(x: usize, w: usize, cols: u32): v128 {
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  for (const end = w + 4 * (cols & ~15); w < end; w += 64, x += 64) {
    a0 = madd(v128.load(w), v128.load(x), a0);
    a1 = madd(v128.load(w, 16), v128.load(x, 16), a1);
    a2 = madd(v128.load(w, 32), v128.load(x, 32), a2);
    a3 = madd(v128.load(w, 48), v128.load(x, 48), a3);
  }
  for (let left = cols & 15; left > 0; left -= min(left, 4), w += 16, x += 16) {
    a0 = madd(loadQuad(w, left), loadQuad(x, left), a0);
  }
  return f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3));
}

/** The products of x with four vectors, which are read together: they are in a cache, or apart. */
export function dot4(x: usize, w0: usize, w1: usize, w2: usize, w3: usize, cols: u32): v128 {
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  let b0 = a0;
  let b1 = a0;
  let b2 = a0;
  let b3 = a0;
  let at: usize = 0;
  for (const end: usize = 4 * (cols & ~7); at < end; at += 32) {
    const low = v128.load(x + at);
    const high = v128.load(x + at, 16);
    a0 = madd(v128.load(w0 + at), low, a0);
    b0 = madd(v128.load(w0 + at, 16), high, b0);
    a1 = madd(v128.load(w1 + at), low, a1);
    b1 = madd(v128.load(w1 + at, 16), high, b1);
    a2 = madd(v128.load(w2 + at), low, a2);
    b2 = madd(v128.load(w2 + at, 16), high, b2);
    a3 = madd(v128.load(w3 + at), low, a3);
    b3 = madd(v128.load(w3 + at, 16), high, b3);
  }
  const sums = sumLanes(f32x4.add(a0, b0), f32x4.add(a1, b1), f32x4.add(a2, b2), f32x4.add(a3, b3));
  return addTail(sums, x + at, w0 + at, w1 + at, w2 + at, w3 + at, cols & 7);
}

/** Adds the products of a row's last columns to four sums. */
export function addTail(sums: v128, x: usize, w0: usize, w1: usize, w2: usize, w3: usize, cols: u32): v128 {
  for (let at: usize = 0, end: usize = 4 * cols; at < end; at += 4) {
    let column = v128.load32_zero(w0 + at);
    column = v128.load_lane<f32>(w1 + at, column, 1);
    column = v128.load_lane<f32>(w2 + at, column, 2);
    column = v128.load_lane<f32>(w3 + at, column, 3);
    sums = madd(column, v128.load_splat<f32>(x + at), sums);
  }
  return sums;
}

/** y += factor * w */
export function addScaled(y: usize, w: usize, factor: f32, cols: u32): void {
  const factors = f32x4.splat(factor);
  for (let c: u32 = 0; c < cols; c += 4) {
    const at = 4 * c;
    const left = cols - c;
    storeQuad(y + at, madd(loadQuad(w + at, left), factors, loadQuad(y + at, left)), left);
  }
}
