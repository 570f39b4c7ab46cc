/** What sampling reads of the logits: src/kernels/sample. */
import { exp4 } from './lib/exp';
import { loadQuad, sumLane } from './lib/vector';

const NOT_FINITE: u32 = 0xffffffff;
const HEAD_BYTES: usize = 20;
/** Logits whose exponentials are added up in f32; sums of this many are added in f64. */
const BLOCK: u32 = 4096;

/** The record of src/kernels/sample/sample-record.ts; words that it leaves unset are 0. */
export function sample(
  logits: usize,
  vocab: u32,
  candidates: u32,
  inverseTemperature: f32,
  record: usize,
  scratch: usize,
): void {
  memory.fill(record, 0, HEAD_BYTES + 8 * candidates);
  if (!areFinite(logits, vocab)) {
    store<u32>(record, NOT_FINITE);
    return;
  }
  const count = min(candidates, vocab);
  best(logits, vocab, count, record + HEAD_BYTES);
  const top = load<f32>(record + HEAD_BYTES, 4);
  store<u32>(record, load<u32>(record + HEAD_BYTES));
  store<f32>(record, top, 4);
  store<f32>(record, sumOfPowers(logits, vocab, top, 1), 8);
  store<f32>(record, sumOfPowers(logits, vocab, top, inverseTemperature), 12);
  store<u32>(record, count, 16);
}

function areFinite(x: usize, count: u32): bool {
  let differences = f32x4.splat(0); // x - x is 0, or NaN, which stays
  for (let i: u32 = 0; i < count; i += 4) {
    const quad = loadQuad(x + 4 * i, count - i);
    differences = f32x4.add(differences, f32x4.sub(quad, quad));
  }
  return sumLane(differences) == 0;
}

/** The sum of e^((x - top) * factor). */
function sumOfPowers(x: usize, count: u32, top: f32, factor: f32): f32 {
  const tops = f32x4.splat(top);
  const factors = f32x4.splat(factor);
  const whole = count & ~3;
  let total: f64 = 0;
  for (let i: u32 = 0; i < whole;) {
    let sums = f32x4.splat(0);
    for (const end = min(whole, i + BLOCK); i < end; i += 4) {
      sums = f32x4.add(sums, exp4(f32x4.mul(f32x4.sub(v128.load(x + 4 * i), tops), factors)));
    }
    total += sumLane(sums);
  }
  for (let i = whole; i < count; i++) {
    const power = exp4(f32x4.mul(f32x4.sub(v128.load_splat<f32>(x + 4 * i), tops), factors));
    total += f32x4.extract_lane(power, 0);
  }
  return <f32>total;
}

/**
 * (id, logit) of the `count` largest logits, largest first, the lower id first among equals.
 *
 * A heap with the worst of those found so far at its root. Ids ascend, so an equal logit never replaces one.
 */
function best(logits: usize, vocab: u32, count: u32, heap: usize): void {
  for (let id: u32 = 0; id < count; id++) {
    store<u32>(heap + 8 * id, id);
    store<u32>(heap + 8 * id, load<u32>(logits + 4 * id), 4);
  }
  for (let place = count / 2; place > 0; place--) siftDown(heap, place - 1, count);
  let id = count;
  let worst = v128.load_splat<f32>(heap + 4);
  while (id < vocab) {
    if (id + 4 <= vocab && !v128.any_true(f32x4.gt(v128.load(logits + 4 * id), worst))) {
      id += 4;
      continue;
    }
    for (const end = min(id + 4, vocab); id < end; id++) {
      if (load<f32>(logits + 4 * id) <= load<f32>(heap, 4)) continue;
      store<u32>(heap, id);
      store<u32>(heap, load<u32>(logits + 4 * id), 4);
      siftDown(heap, 0, count);
    }
    worst = v128.load_splat<f32>(heap + 4);
  }
  for (let left = count; left > 1; left--) {
    const last = heap + 8 * (left - 1);
    const pair = load<u64>(last);
    store<u64>(last, load<u64>(heap));
    store<u64>(heap, pair);
    siftDown(heap, 0, left - 1);
  }
}

/** Lets a pair sink below those of its children that are worse. */
function siftDown(heap: usize, place: u32, count: u32): void {
  const id = load<u32>(heap + 8 * place);
  const logit = load<f32>(heap + 8 * place, 4);
  for (;;) {
    let child = heap + 8 * (2 * place + 1);
    const end = heap + 8 * count;
    if (child >= end) break;
    if (child + 8 < end && isWorse(child + 8, load<u32>(child), load<f32>(child, 4))) child += 8;
    if (!isWorse(child, id, logit)) break;
    store<u64>(heap + 8 * place, load<u64>(child));
    place = <u32>(child - heap) / 8;
  }
  store<u32>(heap + 8 * place, id);
  store<f32>(heap + 8 * place, logit, 4);
}

// @ts-ignore: decorator
@inline
function isWorse(pair: usize, id: u32, logit: f32): bool {
  const own = load<f32>(pair, 4);
  return own < logit || (own == logit && load<u32>(pair) > id);
}

/** Marks the ids of this step as seen, and penalises all that were: seen-mark and logits-penalty references. */
export function penalty(ids: usize, tokens: u32, seen: usize, logits: usize, vocab: u32, penalty: f32): void {
  for (let t: u32 = 0; t < tokens; t++) {
    const id = load<u32>(ids + 4 * t);
    if (id >= vocab) continue;
    const word = seen + 4 * (id >> 5);
    store<u32>(word, load<u32>(word) | (1 << (id & 31)));
  }
  for (let base: u32 = 0; base < vocab; base += 32) {
    for (let bits = load<u32>(seen + base / 8); bits; bits &= bits - 1) {
      const at = logits + 4 * (base + ctz(bits));
      const logit = load<f32>(at);
      store<f32>(at, logit > 0 ? logit / penalty : logit * penalty);
    }
  }
}
