/** What kernels need of a weight format, by its number. */
import * as bf16 from './bf16';
import * as f16 from './f16';
import * as f32Format from './f32';
import * as bytes from './bytes';
import * as coded from './coded';
import * as int8 from './int8';
import * as nested from './nested';
import { BF16, F16, F32, INT8, is, isByteGroups, isCoded, isNested, Q4_0, Q8_0 } from './numbers';
import * as q4_0 from './q4_0';
import * as q8_0 from './q8_0';
import { planeOf, sideBytes } from './sides';
import { sumLanes } from './vector';

export { F32, INT8 } from './numbers';

/** Bytes of `cols` weights of a row, without their scales. */
export function weightBytes(format: u32, cols: u32): usize {
  if (format == F32) return 4 * cols;
  if (isCoded(format)) return coded.codeBytes(format, cols);
  if (isNested(format)) return cols / 4;
  if (is(format, Q8_0) || isByteGroups(format)) return cols;
  return is(format, Q4_0) ? cols / 2 : 2 * cols;
}

/** Bytes of the scales of a row of `cols` weights. */
export function scaleBytes(format: u32, cols: u32): usize {
  if (isCoded(format)) return sideBytes(format, cols);
  if (isByteGroups(format)) return bytes.groupBytes(cols);
  if (isNested(format)) return nested.scaleBytes(cols);
  return format >= Q8_0 ? cols / 16 : 0;
}

/** Bytes of scratch for the prepared activations of a row, a multiple of 16. */
export function preparedBytes(format: u32, cols: u32): usize {
  if (isAsItIs(format)) return 16;
  if (isCoded(format)) return behindScales(format, coded.preparedRoom(cols), cols);
  if (isNested(format)) return nested.preparedRoom(cols);
  const room = format == F16 ? 4 * cols : format >= INT8 ? 3 * cols : 5 * cols;
  return (room + behindScales(format, 0, cols) + 15) & ~15;
}

/** Whether dot4 takes activations in their own order. */
// @ts-ignore: decorator
@inline
function isAsItIs(format: u32): bool {
  return format == F32 || format == BF16 || isByteGroups(format);
}

/** At the beginning of scratch: the scales of activations of 8 bits, or what `dot` of coded.ts reads for a row of weights. */
// @ts-ignore: decorator
@inline
function behindScales(format: u32, scratch: usize, cols: u32): usize {
  return scratch + (isCoded(format) ? 4 * planeOf(cols / 32) : (cols / 8 + 15) & ~15);
}

/** Where dot4 finds the activations of a row: in scratch, if `prepare` writes them there. */
export function prepared(format: u32, x: usize, scratch: usize, cols: u32): usize {
  if (isNested(format)) return scratch;
  return isAsItIs(format) ? x : behindScales(format, scratch, cols);
}

/** Brings the activations of a row into the order in which dot4 takes them. */
export function prepare(format: u32, x: usize, scratch: usize, cols: u32): void {
  if (isAsItIs(format)) return;
  if (isNested(format)) return nested.prepare(x, scratch, cols);
  const to = behindScales(format, scratch, cols);
  if (format == F16) f16.prepare(x, to, cols);
  else if (format == Q8_0) q8_0.prepare(x, to, cols);
  else if (format == Q4_0) q4_0.prepare(x, to, cols);
  else if (isCoded(format)) coded.prepare(format, x, to, cols);
  else if (is(format, Q8_0)) int8.prepareQ8(x, to, scratch, cols);
  else int8.prepareQ4(x, to, scratch, cols);
}

/** The products of four rows of weights with prepared activations. `scratch` is what `prepare` was given. */
export function dot4(
  format: u32,
  x: usize,
  w0: usize,
  w1: usize,
  w2: usize,
  w3: usize,
  s0: usize,
  s1: usize,
  s2: usize,
  s3: usize,
  scratch: usize,
  cols: u32,
): v128 {
  // One row after the other: processors read memory ahead only in order. A row that is repeated is computed once.
  const a = dot(format, x, w0, s0, scratch, cols);
  const b = w1 == w0 ? a : dot(format, x, w1, s1, scratch, cols);
  const c = w2 == w1 ? b : dot(format, x, w2, s2, scratch, cols);
  const d = w3 == w2 ? c : dot(format, x, w3, s3, scratch, cols);
  return sumLanes(a, b, c, d);
}

function dot(format: u32, x: usize, w: usize, s: usize, scratch: usize, cols: u32): v128 {
  if (format == F32) return f32Format.dot(x, w, cols);
  if (format == F16) return f16.dot(x, w, cols);
  if (format == BF16) return bf16.dot(x, w, cols);
  if (format == Q8_0) return q8_0.dot(x, w, s, cols / 32);
  if (format == Q4_0) return q4_0.dot(x, w, s, cols / 32);
  if (isCoded(format)) return coded.dot(format, x, w, s, scratch, cols);
  if (isByteGroups(format)) return bytes.dot(format, x, w, s, cols);
  if (isNested(format)) return nested.dot(format, x, w, s, cols);
  if (is(format, Q8_0)) return int8.dotQ8(x, scratch, w, s, cols / 32);
  return int8.dotQ4(x, scratch, w, s, cols / 32);
}

/** `count` weights of a row from column `first` on, as f32, in their order. `w` and `s` are where the row of `cols` begins. */
export function unpack(
  format: u32,
  w: usize,
  s: usize,
  to: usize,
  first: u32,
  count: u32,
  cols: u32,
): void {
  if (isNested(format)) nested.unpack(format, w, s, to, first, count, cols);
  else unpackHere(format, w + weightBytes(format, first), s + scaleBytes(format, first), to, count);
}

function unpackHere(format: u32, w: usize, s: usize, to: usize, cols: u32): void {
  if (format == F32) memory.copy(to, w, 4 * cols);
  else if (format == F16) f16.unpack(w, to, cols);
  else if (format == BF16) bf16.unpack(w, to, cols);
  else if (isCoded(format)) coded.unpack(format, w, s, to, cols);
  else if (isByteGroups(format)) bytes.unpack(format, w, s, to, cols);
  else if (is(format, Q8_0)) q8_0.unpack(w, s, to, cols);
  else q4_0.unpack(w, s, to, cols);
}

/**
 * Columns first to end of the sum of many rows, each multiplied by its factor, in their order.
 *
 * @param list - of rows, 12 bytes each: the addresses of weights and scales, and the factor
 * @param first - with scales, a multiple of 32
 */
export function sumRows(format: u32, list: usize, listEnd: usize, y: usize, first: u32, end: u32): void {
  if (format >= Q8_0) {
    for (let c = first; c < end; c += 32) {
      if (format == Q8_0) q8_0.sumBlock(list, listEnd, c / 32, y + 4 * c);
      else q4_0.sumBlock(list, listEnd, c / 32, y + 4 * c);
    }
    return;
  }
  const to = y + 4 * first;
  const cols = end - first;
  memory.fill(to, 0, 4 * cols);
  for (; list < listEnd; list += 12) {
    const w = load<usize>(list) + weightBytes(format, first);
    const factor = load<f32>(list, 8);
    if (format == F32) f32Format.addScaled(to, w, factor, cols);
    else if (format == F16) f16.addScaled(to, w, factor, cols);
    else bf16.addScaled(to, w, factor, cols);
  }
}
