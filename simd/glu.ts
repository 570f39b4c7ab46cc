/** h[r, i] = act(gate_i . x_r + b_i) * (up_i . x_r + c_i), biases 0 if there are none: the first half of src/kernels/experts/expert-glu.reference.ts. */
import { gated4 } from './lib/exp';
import { prepareRows, products, rowsByOne, rowsTogether } from './lib/products';
import { loadQuad, storeQuad } from './lib/vector';

export function glu(
  format: u32,
  x: usize,
  gate: usize,
  gateS: usize,
  up: usize,
  upS: usize,
  gateBias: usize,
  upBias: usize,
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
        let gates = loadQuad(place, end - i);
        let ups = v128.load(scratch + 16 * row);
        if (gateBias) {
          gates = f32x4.add(gates, loadQuad(gateBias + 4 * i, end - i));
          ups = f32x4.add(ups, loadQuad(upBias + 4 * i, end - i));
        }
        storeQuad(place, gated4(act, gates, ups), end - i);
      }
    }
  }
}
