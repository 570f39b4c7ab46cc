/** Latent attention's ways into the space of latents and out of it: src/kernels/attention/latent.reference.ts. */
import { dot4 } from './lib/f32';
import { storeQuad } from './lib/vector';
import { rmsFactor, scaleRow } from './norm';
import { turn } from './rope';

/** Heads `first` to end: w [heads * rank, nope]; a head's rows of q and y end with what is rotated. */
export function latent_query(
  q: usize,
  w: usize,
  angles: usize,
  y: usize,
  tokens: u32,
  past: u32,
  heads: u32,
  nope: u32,
  rank: u32,
  rotary: u32,
  style: u32,
  first: u32,
  end: u32,
): void {
  const from = nope + rotary;
  const to = rank + rotary;
  headProducts(q, w, y, tokens, heads, from, nope, to, rank, first, end);
  for (let t: u32 = 0; t < tokens; t++) {
    const turns = angles + <usize>(past + t) * 4 * rotary;
    for (let h = first; h < end; h++) {
      const row = <usize>t * heads + h;
      rotate(q + 4 * (row * from + nope), turns, y + 4 * (row * to + rank), rotary, style);
    }
  }
}

/** Tokens `first` to end: x [tokens, rank + rotary]; cache: its start, whose rows from `past` on are written. */
export function latent_keys(
  x: usize,
  gain: usize,
  angles: usize,
  cache: usize,
  tokens: u32,
  past: u32,
  rank: u32,
  rotary: u32,
  style: u32,
  eps: f32,
  first: u32,
  end: u32,
): void {
  const size: usize = 4 * (rank + rotary);
  const tail: usize = 4 * rank;
  for (let t = first; t < end; t++) {
    const row = x + t * size;
    const to = cache + <usize>(past + t) * size;
    scaleRow(row, gain, to, rank, rmsFactor(row, rank, eps));
    rotate(row + tail, angles + <usize>(past + t) * 4 * rotary, to + tail, rotary, style);
  }
}

/** Heads `first` to end: o [tokens, heads, rank + rotary], w [heads * dims, rank]. */
export function latent_values(
  o: usize,
  w: usize,
  y: usize,
  tokens: u32,
  heads: u32,
  dims: u32,
  rank: u32,
  rotary: u32,
  first: u32,
  end: u32,
): void {
  headProducts(o, w, y, tokens, heads, rank + rotary, rank, dims, dims, first, end);
}

/**
 * y[t, h, : outs] = w[h] x[t, h, : cols], for matrices w[h] [outs, cols] and rows of `from` and `to` elements. Four rows of a
 * matrix stay in a cache for all tokens.
 */
function headProducts(
  x: usize,
  w: usize,
  y: usize,
  tokens: u32,
  heads: u32,
  from: u32,
  cols: u32,
  to: u32,
  outs: u32,
  first: u32,
  end: u32,
): void {
  const row: usize = 4 * cols;
  const xStep = <usize>4 * heads * from;
  const yStep = <usize>4 * heads * to;
  for (let h = first; h < end; h++) {
    let w0 = w + <usize>h * outs * row;
    for (let o: u32 = 0; o < outs; o += 4, w0 += 4 * row) {
      const left = outs - o;
      const w1 = left > 1 ? w0 + row : w0;
      const w2 = left > 2 ? w1 + row : w0;
      const w3 = left > 3 ? w2 + row : w0;
      let xRow = x + <usize>4 * h * from;
      let yRow = y + <usize>4 * (h * to + o);
      for (let t: u32 = 0; t < tokens; t++, xRow += xStep, yRow += yStep) {
        storeQuad(yRow, dot4(xRow, w0, w1, w2, w3, cols), left);
      }
    }
  }
}

function rotate(x: usize, turns: usize, y: usize, rotary: u32, style: u32): void {
  memory.copy(y, x, 4 * rotary);
  turn(y, turns, rotary, style);
}
