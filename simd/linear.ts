/** y[r, o] = multiplier * (sum_c x[r, c] w[o, c] + bias[o]): src/kernels/linear/linear.reference.ts. */
import { prepareRows, products, rowsByOne, rowsTogether } from './lib/products';
import { loadQuad, storeQuad } from './lib/vector';

export function linear(
  format: u32,
  x: usize,
  w: usize,
  s: usize,
  bias: usize,
  y: usize,
  rows: u32,
  cols: u32,
  outs: u32,
  multiplier: f32,
  scratch: usize,
  first: u32,
  end: u32,
): void {
  const byOne = rowsByOne(format, rows, cols);
  const together = rowsTogether(byOne);
  for (let r: u32 = 0; r < rows; r += together) {
    const count = min(rows - r, together);
    const from = x + <usize>r * 4 * cols;
    prepareRows(format, from, count, byOne, cols, scratch);
    for (let o = first; o < end; o += 4) {
      products(format, from, count, byOne, w, s, cols, o, end, scratch);
      for (let i: u32 = 0; i < count; i++) {
        finish(v128.load(scratch + 16 * i), bias, y + <usize>(r + i) * 4 * outs, multiplier, o, end);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function finish(sums: v128, bias: usize, y: usize, multiplier: f32, o: u32, end: u32): void {
  if (bias) sums = f32x4.add(sums, loadQuad(bias + 4 * o, end - o));
  storeQuad(y + 4 * o, f32x4.mul(sums, f32x4.splat(multiplier)), end - o);
}
