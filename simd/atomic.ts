/** One-neuron experts: src/kernels/atomic/atomic-experts.reference.ts. */
import { activate4 } from './lib/exp';
import * as f32Format from './lib/f32';
import { dot4, F32, prepare, prepared, scaleBytes, sumRows, unpack, weightBytes } from './lib/format';
import { storeQuad } from './lib/vector';

/** The address of the record that holds expert `id`; 0 where it is absent. */
// @ts-ignore: decorator
@inline
function recordOf(table: usize, id: u32, pageExperts: u32): usize {
  return load<usize>(table + 4 * (id / pageExperts));
}

/** s[p] = act(in_e . x[p / topK]), e = ids[p], for pairs first to end; 0 where e is absent. */
export function atomic_scores(
  format: u32,
  x: usize,
  ids: usize,
  table: usize,
  s: usize,
  hidden: u32,
  topK: u32,
  act: u32,
  pageExperts: u32,
  at: usize,
  scalesAt: usize,
  scratch: usize,
  first: u32,
  end: u32,
): void {
  for (let p = first; p < end;) {
    const token = p / topK;
    const last = min(end, (token + 1) * topK);
    const row = x + <usize>token * 4 * hidden;
    prepare(format, row, scratch, hidden);
    const activations = prepared(format, row, scratch, hidden);
    for (; p < last; p += 4) {
      const count = min(last - p, 4);
      const four = ids + 4 * p;
      const sums = scoresOf4(
        format,
        activations,
        four,
        count,
        table,
        hidden,
        pageExperts,
        at,
        scalesAt,
        scratch,
      );
      storeQuad(s + 4 * p, v128.and(activate4(act, sums), present(table, four, count, pageExperts)), count);
    }
    p = last;
  }
}

/** The products of prepared activations with up to four experts; any number for one that is absent. */
function scoresOf4(
  format: u32,
  activations: usize,
  ids: usize,
  count: u32,
  table: usize,
  hidden: u32,
  pageExperts: u32,
  at: usize,
  scalesAt: usize,
  scratch: usize,
): v128 {
  const e0 = load<u32>(ids);
  const e1 = count > 1 ? load<u32>(ids, 4) : e0;
  const e2 = count > 2 ? load<u32>(ids, 8) : e0;
  const e3 = count > 3 ? load<u32>(ids, 12) : e0;
  let p0 = recordOf(table, e0, pageExperts);
  let p1 = recordOf(table, e1, pageExperts);
  let p2 = recordOf(table, e2, pageExperts);
  let p3 = recordOf(table, e3, pageExperts);
  // Any record serves in place of an absent one: the result is not used.
  const some = p0 ? p0 : p1 ? p1 : p2 ? p2 : p3;
  if (!some) return f32x4.splat(0);
  p0 = p0 ? p0 : some;
  p1 = p1 ? p1 : some;
  p2 = p2 ? p2 : some;
  p3 = p3 ? p3 : some;
  const step = weightBytes(format, hidden);
  const scales = scaleBytes(format, hidden);
  const r0: usize = e0 % pageExperts;
  const r1: usize = e1 % pageExperts;
  const r2: usize = e2 % pageExperts;
  const r3: usize = e3 % pageExperts;
  return dot4(
    format,
    activations,
    p0 + at + r0 * step,
    p1 + at + r1 * step,
    p2 + at + r2 * step,
    p3 + at + r3 * step,
    p0 + scalesAt + r0 * scales,
    p1 + scalesAt + r1 * scales,
    p2 + scalesAt + r2 * scales,
    p3 + scalesAt + r3 * scales,
    scratch,
    hidden,
  );
}

/** All ones in the lanes of experts that are present. */
function present(table: usize, ids: usize, count: u32, pageExperts: u32): v128 {
  let records = i32x4.splat(<i32>recordOf(table, load<u32>(ids), pageExperts));
  if (count > 1)
    records = i32x4.replace_lane(records, 1, <i32>recordOf(table, load<u32>(ids, 4), pageExperts));
  if (count > 2)
    records = i32x4.replace_lane(records, 2, <i32>recordOf(table, load<u32>(ids, 8), pageExperts));
  if (count > 3)
    records = i32x4.replace_lane(records, 3, <i32>recordOf(table, load<u32>(ids, 12), pageExperts));
  return i32x4.ne(records, i32x4.splat(0));
}

/** The same for places first to end of pairs sorted by id: an expert is unpacked once for all its tokens. */
export function atomic_scores_sorted(
  format: u32,
  x: usize,
  sorted: usize,
  table: usize,
  s: usize,
  hidden: u32,
  topK: u32,
  act: u32,
  pageExperts: u32,
  at: usize,
  scalesAt: usize,
  scratch: usize,
  first: u32,
  end: u32,
): void {
  const last = sorted + 8 * end;
  for (let pair = sorted + 8 * first; pair < last;) {
    const id = load<u32>(pair);
    const record = recordOf(table, id, pageExperts);
    let row = record;
    if (record) {
      const number: usize = id % pageExperts;
      row = record + at + number * weightBytes(format, hidden);
      if (format != F32) {
        unpack(format, row, record + scalesAt + number * scaleBytes(format, hidden), scratch, 0, hidden, hidden);
        row = scratch;
      }
    }
    for (; pair < last && load<u32>(pair) == id; pair += 8) {
      // Four tokens at a time; where there are fewer, the first one again.
      const p0 = load<u32>(pair, 4);
      const p1 = isSame(pair + 8, last, id) ? load<u32>(pair, 12) : p0;
      const p2 = isSame(pair + 16, last, id) ? load<u32>(pair, 20) : p0;
      const p3 = isSame(pair + 24, last, id) ? load<u32>(pair, 28) : p0;
      let quad = f32x4.splat(0);
      if (row) {
        const size: usize = 4 * hidden;
        const x0 = x + <usize>(p0 / topK) * size;
        const x1 = x + <usize>(p1 / topK) * size;
        const x2 = x + <usize>(p2 / topK) * size;
        quad = f32Format.dot4(row, x0, x1, x2, x + <usize>(p3 / topK) * size, hidden);
        quad = activate4(act, quad);
      }
      v128.store_lane<f32>(s + 4 * p3, quad, 3);
      v128.store_lane<f32>(s + 4 * p2, quad, 2);
      v128.store_lane<f32>(s + 4 * p1, quad, 1);
      v128.store_lane<f32>(s + 4 * p0, quad, 0);
      if (p1 != p0) pair += 8;
      if (p2 != p0) pair += 8;
      if (p3 != p0) pair += 8;
    }
  }
}

// @ts-ignore: decorator
@inline
function isSame(pair: usize, last: usize, id: u32): bool {
  return pair < last && load<u32>(pair) == id;
}

/** y[t, c] = sum over ranks k of weights[t, k] * s[t, k] * out_e[c], e = ids[t, k], for columns first to end. */
export function atomic_combine(
  format: u32,
  s: usize,
  ids: usize,
  weights: usize,
  table: usize,
  y: usize,
  tokens: u32,
  hidden: u32,
  topK: u32,
  pageExperts: u32,
  at: usize,
  scalesAt: usize,
  scratch: usize,
  first: u32,
  end: u32,
): void {
  const step = weightBytes(format, hidden);
  const scales = scaleBytes(format, hidden);
  for (let t: u32 = 0; t < tokens; t++) {
    let list = scratch;
    for (let pair: usize = <usize>t * topK, last = pair + topK; pair < last; pair++) {
      const id = load<u32>(ids + 4 * pair);
      const record = recordOf(table, id, pageExperts);
      if (!record) continue;
      const row: usize = id % pageExperts;
      store<usize>(list, record + at + row * step);
      store<usize>(list, record + scalesAt + row * scales, 4);
      store<f32>(list, load<f32>(weights + 4 * pair) * load<f32>(s + 4 * pair), 8);
      list += 12;
    }
    sumRows(format, scratch, list, y + <usize>t * 4 * hidden, first, end);
  }
}

/** Digits of ids that one pass of the sort looks at. */
const DIGIT_BITS: u32 = 11;

/**
 * sorted = (id, pair) of every pair, by ascending id; equal ids by ascending pair: a radix sort.
 *
 * @param scratch - 8 KiB and 8 bytes a pair
 */
export function sort_pairs(ids: usize, sorted: usize, scratch: usize, pairs: u32, experts: u32): void {
  let most: u32 = 0;
  for (let p: u32 = 0; p < pairs; p++) most = max(most, load<u32>(ids + 4 * p));
  const passes: u32 = max<u32>((32 - clz(most) + DIGIT_BITS - 1) / DIGIT_BITS, 1);
  const spare = scratch + (4 << DIGIT_BITS);
  let from = (passes & 1) != 0 ? spare : sorted;
  for (let p: u32 = 0; p < pairs; p++) {
    store<u32>(from + 8 * p, load<u32>(ids + 4 * p));
    store<u32>(from + 8 * p, p, 4);
  }
  for (let pass: u32 = 0; pass < passes; pass++) {
    const to = from == sorted ? spare : sorted;
    sortByDigit(from, to, scratch, pairs, pass * DIGIT_BITS);
    from = to;
  }
}

/** One stable pass over the digit from bit `shift` on; `places`: of the next pair of each digit. */
function sortByDigit(from: usize, to: usize, places: usize, pairs: u32, shift: u32): void {
  const end = from + 8 * pairs;
  memory.fill(places, 0, 4 << DIGIT_BITS);
  for (let pair = from; pair < end; pair += 8) {
    const place = placeOf(places, pair, shift);
    store<u32>(place, load<u32>(place) + 1);
  }
  let next = to;
  for (let place = places, last = places + (4 << DIGIT_BITS); place < last; place += 4) {
    const count = load<u32>(place);
    store<usize>(place, next);
    next += 8 * count;
  }
  for (let pair = from; pair < end; pair += 8) {
    const place = placeOf(places, pair, shift);
    const at = load<usize>(place);
    store<u64>(at, load<u64>(pair));
    store<usize>(place, at + 8);
  }
}

// @ts-ignore: decorator
@inline
function placeOf(places: usize, pair: usize, shift: u32): usize {
  return places + 4 * ((load<u32>(pair) >> shift) & ((1 << DIGIT_BITS) - 1));
}
