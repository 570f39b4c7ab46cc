/** Queries and keys, normed and rotated, and values, into their places: src/kernels/attention/rope-kv.reference.ts. */
import { scale } from './lib/reduce';
import { rmsFactor, scaleRow } from './norm';

const PAIR: u32 = 1; // style: neighbours are a pair; else i and i + rotaryDim / 2
const NORM_VECTOR: u32 = 2; // of all heads of a token; 1: of each head; 0: none
const NORM_HEAD_AND_VALUE: u32 = 3; // of each head, and of each head of the values, without a gain

/** k and v are the caches' starts: their rows from `past` on are written. */
export function rope_kv(
  qkv: usize,
  angles: usize,
  qGain: usize,
  kGain: usize,
  q: usize,
  k: usize,
  v: usize,
  tokens: u32,
  past: u32,
  heads: u32,
  kvHeads: u32,
  headDim: u32,
  rotaryDim: u32,
  style: u32,
  norm: u32,
  eps: f32,
  first: u32,
  end: u32,
): void {
  const queryBytes: usize = 4 * heads * headDim;
  const keyBytes: usize = 4 * kvHeads * headDim;
  for (let t = first; t < end; t++) {
    const row = qkv + <usize>t * (queryBytes + 2 * keyBytes);
    const turns = angles + <usize>(past + t) * 4 * rotaryDim;
    const queries = q + <usize>t * queryBytes;
    const position = <usize>(past + t) * keyBytes;
    normHeads(row, qGain, queries, heads, headDim, norm, eps);
    normHeads(row + queryBytes, kGain, k + position, kvHeads, headDim, norm, eps);
    const values = v + position;
    memory.copy(values, row + queryBytes + keyBytes, keyBytes);
    if (norm == NORM_HEAD_AND_VALUE) {
      for (let at = values; at < values + keyBytes; at += 4 * headDim) {
        scale(at, rmsFactor(at, headDim, eps), headDim);
      }
    }
    for (let h: u32 = 0; h < heads; h++) turn(queries + 4 * h * headDim, turns, rotaryDim, style);
    for (let h: u32 = 0; h < kvHeads; h++) turn(k + position + 4 * h * headDim, turns, rotaryDim, style);
  }
}

function normHeads(x: usize, gain: usize, y: usize, heads: u32, headDim: u32, norm: u32, eps: f32): void {
  if (!norm) {
    memory.copy(y, x, 4 * heads * headDim);
    return;
  }
  const cols = norm == NORM_VECTOR ? heads * headDim : headDim;
  for (let end = x + 4 * heads * headDim; x < end; x += 4 * cols, y += 4 * cols) {
    scaleRow(x, gain, y, cols, rmsFactor(x, cols, eps));
  }
}

/** (a, b) = (a cos - b sin, b cos + a sin) for each pair of one head; angles are (cos, sin) of each pair. */
export function turn(x: usize, angles: usize, rotaryDim: u32, style: u32): void {
  const pairs = rotaryDim / 2;
  const step: usize = style == PAIR ? 8 : 4;
  const apart: usize = style == PAIR ? 4 : 4 * pairs;
  let i: u32 = 0;
  if (style != PAIR) {
    for (; i + 4 <= pairs; i += 4) turn4(x + 4 * i, x + apart + 4 * i, angles + 8 * i);
  }
  for (; i < pairs; i++) {
    const at = x + i * step;
    const a = load<f32>(at);
    const b = load<f32>(at + apart);
    const cos = load<f32>(angles + 8 * i);
    const sin = load<f32>(angles + 8 * i, 4);
    store<f32>(at, a * cos - b * sin);
    store<f32>(at + apart, b * cos + a * sin);
  }
}

function turn4(first: usize, second: usize, angles: usize): void {
  const a = v128.load(first);
  const b = v128.load(second);
  const low = v128.load(angles);
  const high = v128.load(angles, 16);
  const cos = v128.shuffle<u32>(low, high, 0, 2, 4, 6);
  const sin = v128.shuffle<u32>(low, high, 1, 3, 5, 7);
  v128.store(first, f32x4.sub(f32x4.mul(a, cos), f32x4.mul(b, sin)));
  v128.store(second, f32x4.add(f32x4.mul(b, cos), f32x4.mul(a, sin)));
}
