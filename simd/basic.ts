/** Rows that are looked up, added and gathered. */
import { activate4, sigmoid4 } from './lib/exp';
import { addScaled } from './lib/f32';
import { scaleBytes, unpack, weightBytes } from './lib/format';
import { scale as multiply } from './lib/reduce';
import { loadQuad, madd, storeQuad } from './lib/vector';

/** The place of a pair whose expert is absent: src/kernels/experts/sparse-dispatch.ts. */
const NOWHERE: u32 = 0xffffffff;

/** y[r, c] = act(gateUp[r, c]) * gateUp[r, width + c]: src/kernels/core/glu-activation.reference.ts. */
export function glu_activation(
  gateUp: usize,
  y: usize,
  rows: u32,
  width: u32,
  act: u32,
  first: u32,
  end: u32,
): void {
  for (let r = first; r < end; r++) {
    const gate = gateUp + <usize>r * 8 * width;
    const up = gate + 4 * width;
    const to = y + <usize>r * 4 * width;
    for (let c: u32 = 0; c < width; c += 4) {
      const at = 4 * c;
      const left = width - c;
      storeQuad(to + at, f32x4.mul(activate4(act, loadQuad(gate + at, left)), loadQuad(up + at, left)), left);
    }
  }
}

/** y = a + b * (gate ? sigmoid(gate[t]) : scale): src/kernels/core/add-shared.reference.ts. */
export function add_shared(
  a: usize,
  b: usize,
  gate: usize,
  y: usize,
  tokens: u32,
  cols: u32,
  scale: f32,
  first: u32,
  end: u32,
): void {
  for (let t = first; t < end; t++) {
    const factor = gate ? sigmoid4(v128.load_splat<f32>(gate + 4 * t)) : f32x4.splat(scale);
    const row = <usize>t * 4 * cols;
    for (let c: u32 = 0; c < cols; c += 4) {
      const at = row + 4 * c;
      const left = cols - c;
      storeQuad(y + at, madd(loadQuad(b + at, left), factor, loadQuad(a + at, left)), left);
    }
  }
}

/** y[t, c] = factors[t] * x[t, c]: src/kernels/core/scale-rows.reference.ts. */
export function scale_rows(x: usize, factors: usize, y: usize, tokens: u32, cols: u32): void {
  for (let t: u32 = 0; t < tokens; t++) {
    const factor = v128.load_splat<f32>(factors + 4 * t);
    const row = <usize>t * 4 * cols;
    for (let c: u32 = 0; c < cols; c += 4) {
      const at = row + 4 * c;
      storeQuad(y + at, f32x4.mul(loadQuad(x + at, cols - c), factor), cols - c);
    }
  }
}

/** y = cap * tanh(x / cap): src/kernels/core/soft-cap.reference.ts. */
export function soft_cap(x: usize, y: usize, count: u32, cap: f32): void {
  for (let i: u32 = 0; i < count; i += 4) {
    // tanh(a) = 2 sigmoid(2 a) - 1
    const twice = f32x4.mul(loadQuad(x + 4 * i, count - i), f32x4.splat(2 / cap));
    const tanh = f32x4.sub(f32x4.mul(sigmoid4(twice), f32x4.splat(2)), f32x4.splat(1));
    storeQuad(y + 4 * i, f32x4.mul(tanh, f32x4.splat(cap)), count - i);
  }
}

/** y[i] = x[index[i]], rows of `cols` f32. */
export function gather_rows(x: usize, index: usize, y: usize, count: u32, cols: u32): void {
  const size: usize = 4 * cols;
  for (let i: u32 = 0; i < count; i++, y += size) {
    memory.copy(y, x + <usize>load<u32>(index + 4 * i) * size, size);
  }
}

/** y[t] = sum over ranks k of weights[t, k] * out[place[t, k]], in rank order; nothing of places that are NOWHERE. */
export function combine(
  out: usize,
  place: usize,
  weights: usize,
  y: usize,
  tokens: u32,
  topK: u32,
  hidden: u32,
  first: u32,
  end: u32,
): void {
  const size: usize = 4 * hidden;
  for (let t = first; t < end; t++) {
    const row = y + <usize>t * size;
    memory.fill(row, 0, size);
    for (let pair: usize = <usize>t * topK, last = pair + topK; pair < last; pair++) {
      const found = load<u32>(place + 4 * pair);
      if (found != NOWHERE) addScaled(row, out + <usize>found * size, load<f32>(weights + 4 * pair), hidden);
    }
  }
}

/** y[t] = multiplier * w[ids[t]], zeros where ids[t] >= vocab: src/kernels/core/embedding.reference.ts. */
export function embedding(
  format: u32,
  ids: usize,
  w: usize,
  s: usize,
  y: usize,
  vocab: u32,
  cols: u32,
  multiplier: f32,
  first: u32,
  end: u32,
): void {
  for (let t = first; t < end; t++) {
    const id: usize = load<u32>(ids + 4 * t);
    const row = y + <usize>t * 4 * cols;
    if (id >= <usize>vocab) {
      memory.fill(row, 0, 4 * cols);
      continue;
    }
    unpack(format, w + id * weightBytes(format, cols), s + id * scaleBytes(format, cols), row, 0, cols, cols);
    if (multiplier != 1) multiply(row, multiplier, cols);
  }
}
