/** Attention over the KV cache: src/kernels/attention/attention.reference.ts. */
import { exp4 } from './lib/exp';
import { dot4 } from './lib/f32';
import { exponentials, largest4, scale as multiply, sum } from './lib/reduce';
import { loadQuad, madd, storeQuad } from './lib/vector';

/** Query heads that are computed together, so that a token's keys are read in order: scratch has the scores of this many. */
const HEADS: u32 = 8;
/** Keys whose values are added for all these heads before those of the next ones. */
const KEYS: u32 = 16;

/**
 * @param sinks - f32 [heads]: scores of a key without a value; 0: none
 * @param scratch - 4 * HEADS * (past + tokens + 1) bytes
 */
export function attention(
  q: usize,
  k: usize,
  v: usize,
  sinks: usize,
  y: usize,
  scratch: usize,
  tokens: u32,
  past: u32,
  heads: u32,
  kvHeads: u32,
  headDim: u32,
  scale: f32,
  window: u32,
  chunk: u32,
  first: u32,
  end: u32,
): void {
  for (let pair = first; pair < end;) {
    const t = pair / heads;
    const h = pair % heads;
    const count = min(min(heads - h, HEADS), end - pair);
    const seen = past + t + 1;
    let oldest = window > 0 && seen > window ? seen - window : 0;
    if (chunk > 0) oldest = ((seen - 1) / chunk) * chunk;
    const from = <usize>oldest * 4 * kvHeads * headDim;
    const at = <usize>pair * 4 * headDim;
    attend(
      q + at,
      k + from,
      v + from,
      sinks,
      y + at,
      scratch,
      h,
      count,
      heads,
      kvHeads,
      headDim,
      seen - oldest,
      scale,
    );
    pair += count;
  }
}

/** Heads h to h + count of one token; `weights` [count, keys], and behind them those of the sinks [count]. */
function attend(
  q: usize,
  k: usize,
  v: usize,
  sinks: usize,
  y: usize,
  weights: usize,
  h: u32,
  count: u32,
  heads: u32,
  kvHeads: u32,
  headDim: u32,
  keys: u32,
  scale: f32,
): void {
  const row: usize = 4 * keys;
  const size: usize = 4 * headDim;
  // Head h + i has the keys of head (h + i) * kvHeads / heads: `rest` is the remainder, which grows by kvHeads.
  const skip = ((h * kvHeads) / heads) * size;
  const rest = (h * kvHeads) % heads;
  scoreHeads(q, k + skip, weights, count, heads, kvHeads, headDim, keys, rest, scale);
  for (let i: u32 = 0; i < count; i++) {
    const own = weights + i * row;
    let most = largest4(own, keys);
    let ofSink: f32 = 0;
    if (sinks) {
      const sink = v128.load_splat<f32>(sinks + 4 * (h + i));
      most = f32x4.max(most, sink);
      ofSink = f32x4.extract_lane(exp4(f32x4.sub(sink, most)), 0);
    }
    exponentials(own, own, keys, most);
    store<f32>(weights + count * row + 4 * i, ofSink);
  }
  memory.fill(y, 0, count * size);
  addHeads(y, v + skip, weights, count, heads, kvHeads, headDim, keys, rest);
  for (let i: u32 = 0; i < count; i++) {
    const total = sum(weights + i * row, keys) + load<f32>(weights + count * row + 4 * i);
    multiply(y + i * size, 1 / total, headDim);
  }
}

/** scores[i, j] = scale * q[i] . k[j], four keys at a time. */
function scoreHeads(
  q: usize,
  k: usize,
  scores: usize,
  count: u32,
  heads: u32,
  kvHeads: u32,
  headDim: u32,
  keys: u32,
  firstRest: u32,
  scale: f32,
): void {
  const size: usize = 4 * headDim;
  const stride = kvHeads * size;
  const factor = f32x4.splat(scale);
  for (let j: u32 = 0; j < keys; j += 4, k += 4 * stride) {
    const left = keys - j;
    let rest = firstRest;
    let k0 = k;
    for (let i: u32 = 0; i < count; i++) {
      const k1 = left > 1 ? k0 + stride : k0;
      const k2 = left > 2 ? k1 + stride : k0;
      const k3 = left > 3 ? k2 + stride : k0;
      const four = f32x4.mul(dot4(q + i * size, k0, k1, k2, k3, headDim), factor);
      storeQuad(scores + 4 * (i * keys + j), four, left);
      rest += kvHeads;
      if (rest >= heads) {
        rest -= heads;
        k0 += size;
      }
    }
  }
}

/** y[i] += sum over keys j of weights[i, j] * v[j]. */
function addHeads(
  y: usize,
  v: usize,
  weights: usize,
  count: u32,
  heads: u32,
  kvHeads: u32,
  headDim: u32,
  keys: u32,
  firstRest: u32,
): void {
  const size: usize = 4 * headDim;
  const stride = kvHeads * size;
  for (let j: u32 = 0; j < keys; j += KEYS, v += KEYS * stride) {
    const some = min(keys - j, KEYS);
    let rest = firstRest;
    let value = v;
    for (let i: u32 = 0; i < count; i++) {
      addValues(y + i * size, value, weights + 4 * (i * keys + j), some, stride, headDim);
      rest += kvHeads;
      if (rest >= heads) {
        rest -= heads;
        value += size;
      }
    }
  }
}

/** y += sum over keys of weight * value, key after key. */
function addValues(y: usize, v: usize, weights: usize, keys: u32, stride: usize, headDim: u32): void {
  const end = weights + 4 * keys;
  let d: u32 = 0;
  for (; d + 32 <= headDim; d += 32) addValues32(y + 4 * d, v + 4 * d, weights, end, stride);
  for (; d < headDim; d += 4) {
    const left = headDim - d;
    let sums = loadQuad(y + 4 * d, left);
    let value = v + 4 * d;
    for (let weight = weights; weight < end; weight += 4, value += stride) {
      sums = madd(loadQuad(value, left), v128.load_splat<f32>(weight), sums);
    }
    storeQuad(y + 4 * d, sums, left);
  }
}

/** The same for 32 dimensions. */
function addValues32(y: usize, v: usize, weights: usize, end: usize, stride: usize): void {
  let a0 = v128.load(y);
  let a1 = v128.load(y, 16);
  let a2 = v128.load(y, 32);
  let a3 = v128.load(y, 48);
  let a4 = v128.load(y, 64);
  let a5 = v128.load(y, 80);
  let a6 = v128.load(y, 96);
  let a7 = v128.load(y, 112);
  for (; weights < end; weights += 4, v += stride) {
    const weight = v128.load_splat<f32>(weights);
    a0 = madd(v128.load(v), weight, a0);
    a1 = madd(v128.load(v, 16), weight, a1);
    a2 = madd(v128.load(v, 32), weight, a2);
    a3 = madd(v128.load(v, 48), weight, a3);
    a4 = madd(v128.load(v, 64), weight, a4);
    a5 = madd(v128.load(v, 80), weight, a5);
    a6 = madd(v128.load(v, 96), weight, a6);
    a7 = madd(v128.load(v, 112), weight, a7);
  }
  v128.store(y, a0);
  v128.store(y, a1, 16);
  v128.store(y, a2, 32);
  v128.store(y, a3, 48);
  v128.store(y, a4, 64);
  v128.store(y, a5, 80);
  v128.store(y, a6, 96);
  v128.store(y, a7, 112);
}
