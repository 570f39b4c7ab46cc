/** Norms of rows: src/kernels/norm. */
import { sum } from './lib/reduce';
import { loadQuad, madd, storeQuad, sumLane } from './lib/vector';

/** y = x / sqrt(mean(x^2) + eps) * gain, for each row. */
export function rms_norm(
  x: usize,
  gain: usize,
  y: usize,
  rows: u32,
  cols: u32,
  eps: f32,
  first: u32,
  end: u32,
): void {
  for (let r = first; r < end; r++) {
    const row = <usize>r * 4 * cols;
    scaleRow(x + row, gain, y + row, cols, rmsFactor(x + row, cols, eps));
  }
}

/** sum = x + scale * branch; y = sum / sqrt(mean(sum^2) + eps) * gain, for each row. */
export function add_rms_norm(
  x: usize,
  branch: usize,
  gain: usize,
  sum: usize,
  y: usize,
  rows: u32,
  cols: u32,
  eps: f32,
  scale: f32,
  first: u32,
  end: u32,
): void {
  const factor = f32x4.splat(scale);
  for (let r = first; r < end; r++) {
    const row = <usize>r * 4 * cols;
    for (let c: u32 = 0; c < cols; c += 4) {
      const at = row + 4 * c;
      const left = cols - c;
      storeQuad(sum + at, madd(loadQuad(branch + at, left), factor, loadQuad(x + at, left)), left);
    }
    scaleRow(sum + row, gain, y + row, cols, rmsFactor(sum + row, cols, eps));
  }
}

/** y = factor * (x + scale * branch / sqrt(mean(branch^2) + eps) * gain), for each row; y may be x. */
export function add_normed(
  x: usize,
  branch: usize,
  gain: usize,
  y: usize,
  rows: u32,
  cols: u32,
  eps: f32,
  scale: f32,
  factor: f32,
  first: u32,
  end: u32,
): void {
  const factors = f32x4.splat(factor);
  for (let r = first; r < end; r++) {
    const row = <usize>r * 4 * cols;
    const share = f32x4.splat(scale * rmsFactor(branch + row, cols, eps));
    for (let c: u32 = 0; c < cols; c += 4) {
      const at = row + 4 * c;
      const left = cols - c;
      const scaled = f32x4.mul(loadQuad(branch + at, left), share);
      const sum = madd(scaled, loadQuad(gain + 4 * c, left), loadQuad(x + at, left));
      storeQuad(y + at, f32x4.mul(sum, factors), left);
    }
  }
}

/** y = (x - mean(x)) / sqrt(variance(x) + eps) * gain + shift, for each row. */
export function layer_norm(
  x: usize,
  gain: usize,
  shift: usize,
  y: usize,
  rows: u32,
  cols: u32,
  eps: f32,
  first: u32,
  end: u32,
): void {
  for (let r = first; r < end; r++) {
    const row = <usize>r * 4 * cols;
    const from = x + row;
    const to = y + row;
    const mean = f32x4.splat(sum(from, cols) / <f32>cols);
    for (let c: u32 = 0; c < cols; c += 4) {
      const left = cols - c;
      storeQuad(to + 4 * c, f32x4.sub(loadQuad(from + 4 * c, left), mean), left);
    }
    scaleRow(to, gain, to, cols, rmsFactor(to, cols, eps));
    for (let c: u32 = 0; c < cols; c += 4) {
      const left = cols - c;
      storeQuad(to + 4 * c, f32x4.add(loadQuad(to + 4 * c, left), loadQuad(shift + 4 * c, left)), left);
    }
  }
}

/** 1 / sqrt(mean(x^2) + eps) */
export function rmsFactor(x: usize, cols: u32, eps: f32): f32 {
  let a = f32x4.splat(0);
  let b = a;
  const whole = cols & ~7;
  for (let at = x, end = x + 4 * whole; at < end; at += 32) {
    const low = v128.load(at);
    const high = v128.load(at, 16);
    a = madd(low, low, a);
    b = madd(high, high, b);
  }
  for (let c = whole; c < cols; c += 4) {
    const quad = loadQuad(x + 4 * c, cols - c);
    a = madd(quad, quad, a);
  }
  return 1 / sqrt<f32>(sumLane(f32x4.add(a, b)) / <f32>cols + eps);
}

/** y = x * factor * gain */
export function scaleRow(x: usize, gain: usize, y: usize, cols: u32, factor: f32): void {
  const factors = f32x4.splat(factor);
  for (let c: u32 = 0; c < cols; c += 4) {
    const at = 4 * c;
    const left = cols - c;
    const scaled = f32x4.mul(loadQuad(x + at, left), factors);
    storeQuad(y + at, f32x4.mul(scaled, loadQuad(gain + at, left)), left);
  }
}
