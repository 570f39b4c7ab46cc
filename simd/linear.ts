/** y[r, o] = multiplier * (sum_c x[r, c] w[o, c] + bias[o]): src/kernels/linear/linear.reference.ts. */
import { BF16, F16, F32, INT8, Q4_0, Q8_0 } from './lib/format';
import { prepareRows, products, rowsByOne, rowsTogether } from './lib/products';
import { loadQuad, storeQuad } from './lib/vector';

function linear(
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

export function linear_f32(
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
  linear(F32, x, w, s, bias, y, rows, cols, outs, multiplier, scratch, first, end);
}

export function linear_f16(
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
  linear(F16, x, w, s, bias, y, rows, cols, outs, multiplier, scratch, first, end);
}

export function linear_bf16(
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
  linear(BF16, x, w, s, bias, y, rows, cols, outs, multiplier, scratch, first, end);
}

export function linear_q8_0(
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
  linear(Q8_0, x, w, s, bias, y, rows, cols, outs, multiplier, scratch, first, end);
}

export function linear_q4_0(
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
  linear(Q4_0, x, w, s, bias, y, rows, cols, outs, multiplier, scratch, first, end);
}

export function linear_i8_q8_0(
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
  linear(Q8_0 + INT8, x, w, s, bias, y, rows, cols, outs, multiplier, scratch, first, end);
}

export function linear_i8_q4_0(
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
  linear(Q4_0 + INT8, x, w, s, bias, y, rows, cols, outs, multiplier, scratch, first, end);
}
