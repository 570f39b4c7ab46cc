/** h[r, i] = act(gate_i . x_r) * (up_i . x_r): the first half of src/kernels/experts/expert-glu.reference.ts. */
import { activate4 } from './lib/exp';
import { BF16, F16, F32, INT8, prepare, Q4_0, Q8_0 } from './lib/format';
import { isFew, products, products1, ROWS } from './lib/products';
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
  if (isFew(rows, hidden)) {
    for (let r: u32 = 0; r < rows; r++) {
      const prepared = prepare(format, x + <usize>r * 4 * hidden, scratch, hidden);
      const to = h + <usize>r * 4 * width;
      // All of one matrix, then all of the other: memory is read ahead only where it is read in order.
      for (let i = first; i < end; i += 4) {
        storeQuad(to + 4 * i, products1(format, prepared, gate, gateS, hidden, i, end, scratch), end - i);
      }
      for (let i = first; i < end; i += 4) {
        const ups = products1(format, prepared, up, upS, hidden, i, end, scratch);
        const gates = activate4(act, loadQuad(to + 4 * i, end - i));
        storeQuad(to + 4 * i, f32x4.mul(gates, ups), end - i);
      }
    }
    return;
  }
  const gates = scratch;
  const ups = gates + 16 * ROWS;
  const tile = ups + 16 * ROWS;
  for (let r: u32 = 0; r < rows; r += ROWS) {
    const count = min(rows - r, ROWS);
    const from = x + <usize>r * 4 * hidden;
    for (let i = first; i < end; i += 4) {
      products(format, from, count, gate, gateS, hidden, i, end, gates, tile);
      products(format, from, count, up, upS, hidden, i, end, ups, tile);
      for (let row: u32 = 0; row < count; row++) {
        const product = f32x4.mul(activate4(act, v128.load(gates + 16 * row)), v128.load(ups + 16 * row));
        storeQuad(h + 4 * (<usize>(r + row) * width + i), product, end - i);
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
