/** Products of rows of activations with four rows of weights at a time: what every matrix product is made of. */
import { addTail } from './f32';
import { dot4, INT8, prepare, prepared, preparedBytes, scaleBytes, unpack, weightBytes } from './format';
import { madd, sumLanes } from './vector';

/** Most rows of activations of one call of `products`: their columns fit a cache. */
const ROWS: u32 = 128;
/** Columns of a tile: with four rows of weights and two of activations they fit the first cache. */
const TILE_COLS: u32 = 1024;
/** Up to this many rows are multiplied one by one: unpacking would cost more than converting the weights again. */
const FEW: u32 = 3;
/** With activations of eight bits, which are faster one by one. Of many rows each call would quantise all of them. */
const FEW_INT8: u32 = 7;

/** Where products are stored: [rows, 4]. Behind it there is room for prepared activations, or a tile. */
const SUMS_BYTES: usize = 16 * ROWS;
/** SCRATCH_BYTES of src/simd/kernels.ts, less that. */
const ROOM_BYTES: usize = (1 << 18) - SUMS_BYTES;

/** How many rows of activations are multiplied one by one, side by side; 0 where tiles are faster. */
export function rowsByOne(format: u32, rows: u32, cols: u32): u32 {
  const most = min<u32>(ROOM_BYTES / preparedBytes(format, cols), ROWS);
  return rows <= (format >= INT8 ? FEW_INT8 : FEW) ? min(rows, most) : 0;
}

/** How many rows of activations are multiplied together. */
export function rowsTogether(byOne: u32): u32 {
  return byOne ? byOne : ROWS;
}

/** Brings rows into the order in which `products` takes them, if that is one by one. */
export function prepareRows(format: u32, x: usize, rows: u32, byOne: u32, cols: u32, scratch: usize): void {
  if (!byOne) return;
  const step = preparedBytes(format, cols);
  let to = scratch + SUMS_BYTES;
  for (let r: u32 = 0; r < rows; r++, to += step) prepare(format, x + <usize>r * 4 * cols, to, cols);
}

/**
 * Stores the products of `rows` rows of x with rows `first` to first + 3 of a matrix at `scratch`: [rows, 4]. Rows of the
 * matrix from `end` on repeat the last.
 */
export function products(
  format: u32,
  x: usize,
  rows: u32,
  byOne: u32,
  w: usize,
  s: usize,
  cols: u32,
  first: u32,
  end: u32,
  scratch: usize,
): void {
  if (byOne) productsByOne(format, x, rows, w, s, cols, first, end, scratch);
  else productsByTile(format, x, rows, w, s, cols, first, end, scratch, scratch + SUMS_BYTES);
}

/** The number of row `lane` of four from `first` on; the last row again where there are fewer. */
// @ts-ignore: decorator
@inline
function rowAt(first: u32, lane: u32, end: u32): usize {
  return min(first + lane, end - 1);
}

function productsByOne(
  format: u32,
  x: usize,
  rows: u32,
  w: usize,
  s: usize,
  cols: u32,
  first: u32,
  end: u32,
  sums: usize,
): void {
  const step = weightBytes(format, cols);
  const scales = scaleBytes(format, cols);
  const xStep = preparedBytes(format, cols);
  const r0: usize = first;
  const r1 = rowAt(first, 1, end);
  const r2 = rowAt(first, 2, end);
  const r3 = rowAt(first, 3, end);
  let scratch = sums + SUMS_BYTES;
  for (let r: u32 = 0; r < rows; r++, scratch += xStep) {
    const quad = dot4(
      format,
      prepared(format, x + <usize>r * 4 * cols, scratch, cols),
      w + r0 * step,
      w + r1 * step,
      w + r2 * step,
      w + r3 * step,
      s + r0 * scales,
      s + r1 * scales,
      s + r2 * scales,
      s + r3 * scales,
      scratch,
      cols,
    );
    v128.store(sums + 16 * r, quad);
  }
}

/** @param tile - room for 4 * TILE_COLS f32 */
function productsByTile(
  format: u32,
  x: usize,
  rows: u32,
  w: usize,
  s: usize,
  cols: u32,
  first: u32,
  end: u32,
  sums: usize,
  tile: usize,
): void {
  const step = weightBytes(format, cols);
  const scales = scaleBytes(format, cols);
  for (let c: u32 = 0; c < cols; c += TILE_COLS) {
    const part = min(cols - c, TILE_COLS);
    for (let lane: u32 = 0; lane < 4; lane++) {
      const row = rowAt(first, lane, end);
      unpack(format, w + row * step, s + row * scales, tile + 4 * lane * part, c, part, cols);
    }
    multiplyTile(x + 4 * c, 4 * cols, rows, tile, part, sums, c == 0);
  }
}

/** sums[r, lane] (+)= x[r] . tile[lane]; `stride`: bytes between rows of x; `isFirst`: the sums begin here. */
function multiplyTile(
  x: usize,
  stride: usize,
  rows: u32,
  tile: usize,
  cols: u32,
  sums: usize,
  isFirst: bool,
): void {
  const w1 = tile + 4 * cols;
  const w2 = w1 + 4 * cols;
  const w3 = w2 + 4 * cols;
  const tail = cols & 3;
  for (let r: u32 = 0; r < rows; r += 2) {
    const x0 = x + <usize>r * stride;
    const x1 = r + 1 < rows ? x0 + stride : x0;
    let a0 = f32x4.splat(0);
    let a1 = a0;
    let a2 = a0;
    let a3 = a0;
    let b0 = a0;
    let b1 = a0;
    let b2 = a0;
    let b3 = a0;
    let at: usize = 0;
    for (const end: usize = 4 * (cols & ~3); at < end; at += 16) {
      const xa = v128.load(x0 + at);
      const xb = v128.load(x1 + at);
      let weights = v128.load(tile + at);
      a0 = madd(weights, xa, a0);
      b0 = madd(weights, xb, b0);
      weights = v128.load(w1 + at);
      a1 = madd(weights, xa, a1);
      b1 = madd(weights, xb, b1);
      weights = v128.load(w2 + at);
      a2 = madd(weights, xa, a2);
      b2 = madd(weights, xb, b2);
      weights = v128.load(w3 + at);
      a3 = madd(weights, xa, a3);
      b3 = madd(weights, xb, b3);
    }
    let a = sumLanes(a0, a1, a2, a3);
    let b = sumLanes(b0, b1, b2, b3);
    if (tail) {
      a = addTail(a, x0 + at, tile + at, w1 + at, w2 + at, w3 + at, tail);
      b = addTail(b, x1 + at, tile + at, w1 + at, w2 + at, w3 + at, tail);
    }
    const to = sums + 16 * r;
    if (!isFirst) a = f32x4.add(v128.load(to), a);
    v128.store(to, a);
    if (x1 == x0) continue;
    if (!isFirst) b = f32x4.add(v128.load(to, 16), b);
    v128.store(to, b, 16);
  }
}
