/** Which experts a token goes to, and what they weigh: src/kernels/routing. */
import { exp4, sigmoid4 } from './lib/exp';
import { exponentials, largest4, scale as multiply, sum } from './lib/reduce';
import { loadQuad, storeQuad } from './lib/vector';

// Codes of src/simd/ops/routing.ts.
const SCORE_SOFTMAX: u32 = 0;
const SCORE_SIGMOID: u32 = 1; // 2: as they are
// 0: as they are
const WEIGH_SUM: u32 = 1;
const WEIGH_SOFTMAX: u32 = 2;
const WEIGH_CLAMPED_SUM: u32 = 3;
const WEIGH_EXP: u32 = 4;
const WEIGH_SPARSEMIXER: u32 = 5;
const WEIGH_SIGMOID: u32 = 6;

const SELECT_MAX: u32 = 1; // 0: all experts; 2: the two best ones of a group

/** The selection value of an expert that may not be chosen. */
const MASKED: f32 = -3e38;
/** The sum of two values of masked experts would be no number. */
const LEAST_IN_PAIR: f32 = -1e38;
/** A selection value below it means: never choose. */
const MASK_LIMIT: f32 = -1e37;
/** e to more is not taken: it is finite in f32. */
const LARGEST_POWER: f32 = 80;

/**
 * gate.reference.ts; bias or factors 0: none. Where experts are selected by groups, only those of the `keep` best of `groups` groups may
 * be chosen.
 *
 * @param scratch - 8 * (experts + topK + 2) + 12 * groups bytes
 */
export function gate_top_k(
  logits: usize,
  bias: usize,
  ids: usize,
  weights: usize,
  tokens: u32,
  experts: u32,
  topK: u32,
  score: u32,
  select: u32,
  weigh: u32,
  groups: u32,
  keep: u32,
  eps: f32,
  scale: f32,
  factors: usize,
  scratch: usize,
): void {
  const affinities = scratch;
  const selection = affinities + 4 * experts;
  const list = selection + 4 * experts;
  for (let t: u32 = 0; t < tokens; t++, logits += 4 * experts, ids += 4 * topK, weights += 4 * topK) {
    scoreRow(logits, affinities, experts, score);
    for (let e: u32 = 0; e < experts; e += 4) {
      const left = experts - e;
      let quad = loadQuad(affinities + 4 * e, left);
      if (bias) quad = f32x4.add(quad, loadQuad(bias + 4 * e, left));
      storeQuad(selection + 4 * e, quad, left);
    }
    if (select) maskGroups(selection, experts / groups, groups, keep, select, list + 8 * topK);
    const count = best(selection, experts, topK, MASK_LIMIT, list);
    const values = weigh == WEIGH_SOFTMAX || weigh == WEIGH_SIGMOID ? logits : affinities;
    for (let rank: u32 = 0; rank < topK; rank++) {
      const id = rank < count ? load<u32>(list + 8 * rank) : experts;
      let value: f32 = 0;
      if (rank < count) {
        value = weigh == WEIGH_SPARSEMIXER ? shareAmongNear(logits, experts, id, eps) : load<f32>(values + 4 * id);
      }
      store<u32>(ids + 4 * rank, id);
      store<f32>(weights + 4 * rank, value);
    }
    weighRow(weights, count, weigh, eps, scale);
    if (!factors) continue;
    for (let rank: u32 = 0; rank < count; rank++) {
      const at = weights + 4 * rank;
      store<f32>(at, load<f32>(at) * load<f32>(factors + 4 * load<u32>(ids + 4 * rank)));
    }
  }
}

/**
 * Masks the experts of all groups but the `keep` that are worth most; of equal groups the lower one stays.
 *
 * @param worth - room for 12 bytes a group
 */
function maskGroups(x: usize, size: u32, groups: u32, keep: u32, select: u32, worth: usize): void {
  const list = worth + 4 * groups;
  for (let g: u32 = 0; g < groups; g++) {
    // The list has room for two.
    const values = x + 4 * g * size;
    const count = best(values, size, select == SELECT_MAX ? 1 : min(size, 2), <f32>-Infinity, list);
    let value: f32 = count > 0 ? load<f32>(list, 4) : <f32>-Infinity;
    if (count > 1) value = max(value, LEAST_IN_PAIR) + max(load<f32>(list, 12), LEAST_IN_PAIR);
    store<f32>(worth + 4 * g, value);
  }
  const kept = best(worth, groups, keep, <f32>-Infinity, list);
  for (let g: u32 = 0; g < groups; g++) {
    let isKept = false;
    for (let rank: u32 = 0; rank < kept; rank++) {
      if (load<u32>(list + 8 * rank) == g) isKept = true;
    }
    if (isKept) continue;
    for (let e = g * size; e < (g + 1) * size; e++) store<f32>(x + 4 * e, MASKED);
  }
}

function scoreRow(x: usize, y: usize, count: u32, score: u32): void {
  if (score == SCORE_SOFTMAX) {
    exponentials(x, y, count, largest4(x, count));
    multiply(y, 1 / sum(y, count), count);
  } else if (score == SCORE_SIGMOID) {
    for (let i: u32 = 0; i < count; i += 4) {
      storeQuad(y + 4 * i, sigmoid4(loadQuad(x + 4 * i, count - i)), count - i);
    }
  } else memory.copy(y, x, 4 * count);
}

/** The softmax of expert `e` among those that are left when it is chosen and within eps * max(|logit|, its own) of it. */
function shareAmongNear(logits: usize, experts: u32, e: u32, eps: f32): f32 {
  const own = load<f32>(logits + 4 * e);
  let sum: f32 = 0;
  for (let at: u32 = 0; at < experts; at++) {
    const other = load<f32>(logits + 4 * at);
    const isLeft = other < own || (other == own && at >= e);
    if (!isLeft || own - other > eps * max(abs(other), own)) continue;
    sum += f32x4.extract_lane(exp4(f32x4.splat(other - own)), 0);
  }
  return 1 / sum;
}

/** Replaces the values of those that were chosen by their weights. */
function weighRow(x: usize, count: u32, weigh: u32, eps: f32, scale: f32): void {
  if (count == 0) return;
  if (weigh == WEIGH_SOFTMAX) exponentials(x, x, count, largest4(x, count));
  if (weigh == WEIGH_EXP) {
    for (let i: u32 = 0; i < count; i += 4) {
      const quad = f32x4.min(loadQuad(x + 4 * i, count - i), f32x4.splat(LARGEST_POWER));
      storeQuad(x + 4 * i, exp4(quad), count - i);
    }
  }
  if (weigh == WEIGH_SIGMOID) {
    for (let i: u32 = 0; i < count; i += 4) storeQuad(x + 4 * i, sigmoid4(loadQuad(x + 4 * i, count - i)), count - i);
  }
  let divisor: f32 = 1;
  if (weigh == WEIGH_SUM || weigh == WEIGH_SOFTMAX) divisor = sum(x, count);
  if (weigh == WEIGH_SUM) divisor += eps;
  if (weigh == WEIGH_CLAMPED_SUM) divisor = max(sum(x, count), eps);
  for (let end = x + 4 * count; x < end; x += 4) {
    // In f64: a divisor may be so small that its inverse is no f32.
    const weight = (<f64>load<f32>(x) * scale) / divisor;
    store<f32>(x, divisor == 0 ? 0 : <f32>weight);
  }
}

/**
 * The `most` largest of the values above `limit`, largest first, the lower number first among equals.
 *
 * @param list - [most] pairs of number and value
 * @returns how many there are
 */
function best(x: usize, count: u32, most: u32, limit: f32, list: usize): u32 {
  let found: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    if (i + 4 <= count && !v128.any_true(f32x4.gt(v128.load(x + 4 * i), f32x4.splat(limit)))) {
      i += 3;
      continue;
    }
    const value = load<f32>(x + 4 * i);
    if (!(value > limit)) continue;
    let place = found < most ? found++ : most - 1;
    for (; place > 0 && load<f32>(list + 8 * place - 4) < value; place--) {
      store<u64>(list + 8 * place, load<u64>(list + 8 * place - 8));
    }
    store<u32>(list + 8 * place, i);
    store<f32>(list + 8 * place, value, 4);
    if (found == most) limit = load<f32>(list + 8 * most - 4);
  }
  return found;
}

/**
 * product-route.reference.ts; mean 0: no norm, sums 0: unwanted; weigh 0 exp, 1 softmax.
 *
 * @param scratch - 8 * n + 32 * topK bytes
 */
export function product_route(
  scores: usize,
  mean: usize,
  variance: usize,
  ids: usize,
  weights: usize,
  sums: usize,
  tokens: u32,
  heads: u32,
  n: u32,
  topK: u32,
  eps: f32,
  logSoftmax: u32,
  weigh: u32,
  scratch: usize,
): void {
  const values = scratch;
  const xs = values + 4 * n;
  const ys = xs + 8 * topK;
  const found = ys + 8 * topK;
  for (let row: u32 = 0; row < tokens * heads; row++, ids += 4 * topK, weights += 4 * topK) {
    const x = scores + <usize>row * 8 * n;
    const y = x + 4 * n;
    let logs = bestOfHalf(x, mean, variance, n, topK, eps, logSoftmax, values, xs);
    const second = mean ? 4 * n : 0;
    logs += bestOfHalf(y, mean + second, variance + second, n, topK, eps, logSoftmax, values, ys);
    bestSums(xs, ys, min(n, topK), n, topK, found);
    for (let rank: u32 = 0; rank < topK; rank++) {
      const score = <f32>(load<f64>(found + 16 * rank) - logs);
      store<u32>(ids + 4 * rank, load<u32>(found + 16 * rank, 8));
      store<f32>(weights + 4 * rank, score);
      if (sums) store<f32>(sums + 4 * (<usize>row * topK + rank), score);
    }
    weighRow(weights, topK, weigh ? WEIGH_SOFTMAX : WEIGH_EXP, 0, 1);
  }
}

/**
 * The best elements of a half, normed, less the largest one where logarithms of a softmax are wanted.
 *
 * @param values - room for n f32
 * @returns the logarithm of the sum of exponentials, or 0
 */
function bestOfHalf(
  x: usize,
  mean: usize,
  variance: usize,
  n: u32,
  topK: u32,
  eps: f32,
  logSoftmax: u32,
  values: usize,
  list: usize,
): f64 {
  if (mean) {
    for (let i: u32 = 0; i < n; i += 4) {
      const left = n - i;
      const centred = f32x4.sub(loadQuad(x + 4 * i, left), loadQuad(mean + 4 * i, left));
      const deviation = f32x4.sqrt(f32x4.add(loadQuad(variance + 4 * i, left), f32x4.splat(eps)));
      storeQuad(values + 4 * i, f32x4.div(centred, deviation), left);
    }
    x = values;
  }
  best(x, n, min(n, topK), <f32>-Infinity, list);
  if (!logSoftmax) return 0;
  const most = load<f32>(list, 4);
  exponentials(x, values, n, f32x4.splat(most));
  return log(sum(values, n)) + most;
}

/** The topK largest sums of one element of each list: found [topK] of sum, id and four bytes. */
function bestSums(xs: usize, ys: usize, size: u32, n: u32, topK: u32, found: usize): void {
  memory.fill(found, 0, 16 * topK);
  let count: u32 = 0;
  for (let a: u32 = 0; a < size; a++) {
    // Element a of one list and b of the other are behind (a + 1) (b + 1) - 1 sums that are no smaller.
    const most = min(size, topK / (a + 1));
    for (let b: u32 = 0; b < most; b++) {
      const sum = <f64>load<f32>(xs + 8 * a, 4) + <f64>load<f32>(ys + 8 * b, 4);
      const id = load<u32>(xs + 8 * a) * n + load<u32>(ys + 8 * b);
      if (count == topK && !isBetter(sum, id, found + 16 * (topK - 1))) continue;
      let place = count < topK ? count++ : topK - 1;
      for (; place > 0 && isBetter(sum, id, found + 16 * place - 16); place--) {
        v128.store(found + 16 * place, v128.load(found + 16 * place - 16));
      }
      store<f64>(found + 16 * place, sum);
      store<u32>(found + 16 * place, id, 8);
    }
  }
}

// @ts-ignore: decorator
@inline
function isBetter(sum: f64, id: u32, other: usize): bool {
  const own = load<f64>(other);
  return sum > own || (sum == own && id < load<u32>(other, 8));
}

/** The natural logarithm of a positive number: ln 2 times its exponent, and 2 artanh((m - 1) / (m + 1)) of the rest. */
function log(x: f64): f64 {
  const bits = reinterpret<u64>(x);
  // Of 2^e and m, m from sqrt(1/2) on.
  const e = (<i64>(bits - 0x3fe6a09e667f3bcd)) >> 52;
  const m = reinterpret<f64>(bits - (e << 52));
  const s = (m - 1) / (m + 1);
  const square = s * s;
  let series: f64 = 0;
  for (let n: f64 = 17; n > 0; n -= 2) series = series * square + 1 / n;
  return <f64>e * 0.6931471805599453 + 2 * s * series;
}
