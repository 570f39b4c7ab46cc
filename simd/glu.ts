/** h[r, i] = act(gate_i . x_r) * (up_i . x_r): the first half of src/kernels/experts/expert-glu.reference.ts. */
import { activate4 } from './lib/exp';
import { BF16, F16, F32, INT8, Q4_0, Q8_0 } from './lib/format';
import { prepareRows, products, rowsByOne, rowsTogether } from './lib/products';
import { loadQuad, storeQuad } from './lib/vector';

function glu(
  format: u32,
  x: usize,
  gate: usize,
  gateS: usize,
  up: usize,
  upS: usize,
  h: usize,
  rows: u32,
  hidden: u32,
  width: u32,
  act: u32,
  scratch: usize,
  first: u32,
  end: u32,
): void {
  const byOne = rowsByOne(format, rows, hidden);
  const together = rowsTogether(byOne);
  for (let r: u32 = 0; r < rows; r += together) {
    const count = min(rows - r, together);
    const from = x + <usize>r * 4 * hidden;
    const to = h + <usize>r * 4 * width;
    prepareRows(format, from, count, byOne, hidden, scratch);
    // All of one matrix, then all of the other: memory is read ahead only where it is read in order.
    for (let i = first; i < end; i += 4) {
      products(format, from, count, byOne, gate, gateS, hidden, i, end, scratch);
      for (let row: u32 = 0; row < count; row++) {
        storeQuad(to + 4 * (<usize>row * width + i), v128.load(scratch + 16 * row), end - i);
      }
    }
    for (let i = first; i < end; i += 4) {
      products(format, from, count, byOne, up, upS, hidden, i, end, scratch);
      for (let row: u32 = 0; row < count; row++) {
        const place = to + 4 * (<usize>row * width + i);
        const gates = activate4(act, loadQuad(place, end - i));
        storeQuad(place, f32x4.mul(gates, v128.load(scratch + 16 * row)), end - i);
      }
    }
  }
}

export function glu_f32(
  x: usize,
  gate: usize,
  gateS: usize,
  up: usize,
  upS: usize,
  h: usize,
  rows: u32,
  hidden: u32,
  width: u32,
  act: u32,
  scratch: usize,
  first: u32,
  end: u32,
): void {
  glu(F32, x, gate, gateS, up, upS, h, rows, hidden, width, act, scratch, first, end);
}

export function glu_f16(
  x: usize,
  gate: usize,
  gateS: usize,
  up: usize,
  upS: usize,
  h: usize,
  rows: u32,
  hidden: u32,
  width: u32,
  act: u32,
  scratch: usize,
  first: u32,
  end: u32,
): void {
  glu(F16, x, gate, gateS, up, upS, h, rows, hidden, width, act, scratch, first, end);
}

export function glu_bf16(
  x: usize,
  gate: usize,
  gateS: usize,
  up: usize,
  upS: usize,
  h: usize,
  rows: u32,
  hidden: u32,
  width: u32,
  act: u32,
  scratch: usize,
  first: u32,
  end: u32,
): void {
  glu(BF16, x, gate, gateS, up, upS, h, rows, hidden, width, act, scratch, first, end);
}

export function glu_q8_0(
  x: usize,
  gate: usize,
  gateS: usize,
  up: usize,
  upS: usize,
  h: usize,
  rows: u32,
  hidden: u32,
  width: u32,
  act: u32,
  scratch: usize,
  first: u32,
  end: u32,
): void {
  glu(Q8_0, x, gate, gateS, up, upS, h, rows, hidden, width, act, scratch, first, end);
}

export function glu_q4_0(
  x: usize,
  gate: usize,
  gateS: usize,
  up: usize,
  upS: usize,
  h: usize,
  rows: u32,
  hidden: u32,
  width: u32,
  act: u32,
  scratch: usize,
  first: u32,
  end: u32,
): void {
  glu(Q4_0, x, gate, gateS, up, upS, h, rows, hidden, width, act, scratch, first, end);
}

export function glu_i8_q8_0(
  x: usize,
  gate: usize,
  gateS: usize,
  up: usize,
  upS: usize,
  h: usize,
  rows: u32,
  hidden: u32,
  width: u32,
  act: u32,
  scratch: usize,
  first: u32,
  end: u32,
): void {
  glu(Q8_0 + INT8, x, gate, gateS, up, upS, h, rows, hidden, width, act, scratch, first, end);
}

export function glu_i8_q4_0(
  x: usize,
  gate: usize,
  gateS: usize,
  up: usize,
  upS: usize,
  h: usize,
  rows: u32,
  hidden: u32,
  width: u32,
  act: u32,
  scratch: usize,
  first: u32,
  end: u32,
): void {
  glu(Q4_0 + INT8, x, gate, gateS, up, upS, h, rows, hidden, width, act, scratch, first, end);
}
