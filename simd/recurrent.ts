/** Recurrences whose state is a matrix of each head, token by token: src/kernels/recurrent. */
import { dot } from './lib/f32';
import { madd, sumLane } from './lib/vector';

/** Added to the squared lengths of q and k. */
const LENGTH_EPS: f32 = 1e-6;

/** Columns of a state that are computed together: a head has a multiple of it. */
const COLS: u32 = 16;

/**
 * Gated delta nets: heads `first` to end.
 *
 * @param factors - f32 [tokens, heads, 2]: beta, and exp(g)
 * @param mixed - f32 [tokens, 2 * keyHeads * keyDim + heads * dims]: q, k, v
 * @param before - f32 [keyDim, heads * dims]; `after`: the same behind the last token, elsewhere
 * @param tiled - 1: head h has the key head h % keyHeads; 0: h / (heads / keyHeads)
 */
export function delta_scan(
  factors: usize,
  mixed: usize,
  before: usize,
  after: usize,
  y: usize,
  tokens: u32,
  keyHeads: u32,
  keyDim: u32,
  heads: u32,
  dims: u32,
  tiled: u32,
  first: u32,
  end: u32,
): void {
  const keys: usize = 4 * keyHeads * keyDim;
  const step: usize = 4 * heads * dims;
  for (let h = first; h < end; h++) {
    const key = <usize>4 * keyDim * (tiled ? h % keyHeads : h / (heads / keyHeads));
    const at = <usize>4 * h * dims;
    let from = before + at;
    for (let t: u32 = 0; t < tokens; t++, from = after + at) {
      const q = mixed + t * (2 * keys + step) + key;
      const k = q + keys;
      const v = k + keys - key + at;
      const pair = factors + 8 * (<usize>t * heads + h);
      const beta = load<f32>(pair);
      const decay = load<f32>(pair, 4);
      const kFactor = perLength(k, keyDim);
      const qFactor = perLength(q, keyDim) / sqrt<f32>(<f32>keyDim);
      const row = y + t * step + at;
      for (let o: usize = 0; o < 4 * dims; o += 4 * COLS) {
        // What is written goes through y.
        correct(from + o, step, k, keyDim, v + o, row + o, decay * kFactor, beta * kFactor);
        write(from + o, after + at + o, step, k, q, keyDim, decay, row + o, 1, 0, row + o, qFactor);
      }
    }
  }
}

/**
 * Mamba-2: heads `first` to end.
 *
 * @param factors - f32 [tokens, heads, 2]: dt, and exp(dt A)
 * @param mixed - f32 [tokens, heads * dims + 2 * groups * states]: x, B, C
 * @param skips - f32 [heads]: D
 * @param before - f32 [states, heads * dims]; `after`: the same behind the last token, elsewhere
 */
export function state_scan(
  factors: usize,
  mixed: usize,
  skips: usize,
  before: usize,
  after: usize,
  y: usize,
  tokens: u32,
  heads: u32,
  dims: u32,
  groups: u32,
  states: u32,
  first: u32,
  end: u32,
): void {
  const step: usize = 4 * heads * dims;
  const group: usize = 4 * groups * states;
  for (let h = first; h < end; h++) {
    const at = <usize>4 * h * dims;
    const skip = load<f32>(skips + 4 * h);
    let from = before + at;
    for (let t: u32 = 0; t < tokens; t++, from = after + at) {
      const row = mixed + t * (step + 2 * group);
      const b = row + step + 4 * states * (h / (heads / groups));
      const pair = factors + 8 * (<usize>t * heads + h);
      const dt = load<f32>(pair);
      const decay = load<f32>(pair, 4);
      for (let o = at; o < at + 4 * dims; o += 4 * COLS) {
        write(from + o - at, after + o, step, b, b + group, states, decay, row + o, dt, skip, y + t * step + o, 1);
      }
    }
  }
}

/** 1 over the length of a vector. */
function perLength(x: usize, count: u32): f32 {
  const one: f32 = 1;
  return one / sqrt<f32>(sumLane(dot(x, x, count)) + LENGTH_EPS);
}

/** y = share (v - factor S^T k), for 16 columns. */
function correct(
  s: usize,
  step: usize,
  k: usize,
  rows: u32,
  v: usize,
  y: usize,
  factor: f32,
  share: f32,
): void {
  const factors = f32x4.splat(-factor);
  const shares = f32x4.splat(share);
  const last = k + 4 * rows;
  let a = f32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  for (; k < last; k += 4, s += step) {
    const key = v128.load_splat<f32>(k);
    a = madd(v128.load(s), key, a);
    b = madd(v128.load(s, 16), key, b);
    c = madd(v128.load(s, 32), key, c);
    d = madd(v128.load(s, 48), key, d);
  }
  v128.store(y, f32x4.mul(shares, madd(a, factors, v128.load(v))));
  v128.store(y, f32x4.mul(shares, madd(b, factors, v128.load(v, 16))), 16);
  v128.store(y, f32x4.mul(shares, madd(c, factors, v128.load(v, 32))), 32);
  v128.store(y, f32x4.mul(shares, madd(d, factors, v128.load(v, 48))), 48);
}

/** to = decay S + share k x^T, y = factor (to^T q + skip x), for 16 columns. */
function write(
  s: usize,
  to: usize,
  step: usize,
  k: usize,
  q: usize,
  rows: u32,
  decay: f32,
  x: usize,
  share: f32,
  skip: f32,
  y: usize,
  factor: f32,
): void {
  const decays = f32x4.splat(decay);
  const shares = f32x4.splat(share);
  const skips = f32x4.splat(skip);
  const factors = f32x4.splat(factor);
  const last = k + 4 * rows;
  let a = v128.load(x);
  let b = v128.load(x, 16);
  let c = v128.load(x, 32);
  let d = v128.load(x, 48);
  let sumA = f32x4.mul(a, skips);
  let sumB = f32x4.mul(b, skips);
  let sumC = f32x4.mul(c, skips);
  let sumD = f32x4.mul(d, skips);
  a = f32x4.mul(a, shares);
  b = f32x4.mul(b, shares);
  c = f32x4.mul(c, shares);
  d = f32x4.mul(d, shares);
  for (; k < last; k += 4, q += 4, s += step, to += step) {
    const key = v128.load_splat<f32>(k);
    const query = v128.load_splat<f32>(q);
    const nextA = madd(v128.load(s), decays, f32x4.mul(a, key));
    const nextB = madd(v128.load(s, 16), decays, f32x4.mul(b, key));
    const nextC = madd(v128.load(s, 32), decays, f32x4.mul(c, key));
    const nextD = madd(v128.load(s, 48), decays, f32x4.mul(d, key));
    v128.store(to, nextA);
    v128.store(to, nextB, 16);
    v128.store(to, nextC, 32);
    v128.store(to, nextD, 48);
    sumA = madd(nextA, query, sumA);
    sumB = madd(nextB, query, sumB);
    sumC = madd(nextC, query, sumC);
    sumD = madd(nextD, query, sumD);
  }
  v128.store(y, f32x4.mul(sumA, factors));
  v128.store(y, f32x4.mul(sumB, factors), 16);
  v128.store(y, f32x4.mul(sumC, factors), 32);
  v128.store(y, f32x4.mul(sumD, factors), 48);
}
