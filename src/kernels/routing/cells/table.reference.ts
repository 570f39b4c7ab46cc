/** The specification of the functions of cells, in f64. */
import { erfc } from '../../core/activation.reference.ts';
import { activationReference } from './activation.reference.ts';
import type { CellName } from './table.ts';

/** What a cell reads. */
export interface CellValues {
  readonly tokens: number;
  readonly cols: number; // of the output
  readonly a: ArrayLike<number>;
  readonly b: ArrayLike<number>;
  readonly c: ArrayLike<number>;
  readonly d: ArrayLike<number>;
  readonly ids: ArrayLike<number>;
  readonly starts: readonly number[]; // of the sequences, and the number of tokens
  readonly n: readonly number[];
  readonly f: readonly number[];
  /** The first token of the sequence of a token, and the first one after it. */
  readonly bounds: (token: number) => readonly [first: number, end: number];
}

/** Computes the value of column i of token t. */
export type CellReference = (values: CellValues, t: number, i: number) => number;

/** The score of an expert that is not chosen: any value below -1e37 is masked. */
const LOWEST = -3e38;

const act = activationReference;

const normalDistribution = (x: number) => 0.5 * erfc(-x / Math.SQRT2);

/** The tokens of the segment of a token, or of its sequence if segments have no length. */
function unitOf(
  [start, end]: readonly [number, number],
  token: number,
  segment: number,
): readonly [first: number, end: number] {
  if (segment === 0) return [start, end];
  const first = start + Math.floor((token - start) / segment) * segment;
  return [first, Math.min(first + segment, end)];
}

/** By the names of the cells. */
export const CELL_REFERENCES: Readonly<Record<CellName, CellReference>> = {
  /** The columns of a, then those of b; n0 columns of a. */
  concat: ({ cols, a, b, n }, t, i) => {
    const [left = 0] = n;
    return i < left ? a[t * left + i]! : b[t * (cols - left) + i - left]!;
  },
  /** Columns of a from n1 on; n0 columns of a. */
  slice: ({ a, n }, t, i) => {
    return a[t * n[0]! + n[1]! + i]!;
  },
  /** Act(a) times f0; n0: the activation. */
  activate: ({ cols, a, n, f }, t, i) => {
    return f[0]! * act(n[0]!, a[t * cols + i]!);
  },
  /** Act(a) * b; n0: the activation. */
  multiply: ({ cols, a, b, n }, t, i) => {
    return act(n[0]!, a[t * cols + i]!) * b[t * cols + i]!;
  },
  /** A squared. */
  square: ({ cols, a }, t, i) => {
    return a[t * cols + i]! ** 2;
  },
  /** F0 * a + f1 * b. */
  sum: ({ cols, a, b, f }, t, i) => {
    return f[0]! * a[t * cols + i]! + f[1]! * b[t * cols + i]!;
  },
  /** F0 * a * b[t, n0], b [tokens, n1]. */
  'scale-rows': ({ cols, a, b, n, f }, t, i) => {
    return f[0]! * a[t * cols + i]! * b[t * n[1]! + n[0]!]!;
  },
  /** A + b * c[t, n0], c [tokens, n1]. */
  'add-scaled': ({ cols, a, b, c, n }, t, i) => {
    return a[t * cols + i]! + b[t * cols + i]! * c[t * n[1]! + n[0]!]!;
  },
  /** 1 - a. */
  'one-minus': ({ cols, a }, t, i) => {
    return 1 - a[t * cols + i]!;
  },
  /** A divided by its length, at least f0. */
  unit: ({ cols, a, f }, t, i) => {
    let sum = 0;
    for (let j = 0; j < cols; j += 1) sum += a[t * cols + j]! ** 2;
    return a[t * cols + i]! / Math.max(Math.sqrt(sum), f[0]!);
  },
  /** The norm of the n2 columns of a around i times b, plus c if n1 is not 0; n0: 0 root mean square, 1 layer; f0: epsilon. */
  norm: ({ cols, a, b, c, n, f }, t, i) => {
    const [kind = 0, hasBias = 0, width = 1] = n;
    const first = t * cols + Math.floor(i / width) * width;
    const at = i % width;
    let mean = 0;
    if (kind === 1) for (let j = 0; j < width; j += 1) mean += a[first + j]! / width;
    let squares = 0;
    for (let j = 0; j < width; j += 1) squares += (a[first + j]! - mean) ** 2;
    const normed = ((a[first + at]! - mean) / Math.sqrt(squares / width + f[0]!)) * b[at]!;
    return hasBias === 0 ? normed : normed + c[at]!;
  },
  /** The softmax of n0 consecutive columns of a that column i is in. */
  softmax: ({ cols, a, n }, t, i) => {
    const first = t * cols + Math.floor(i / n[0]!) * n[0]!;
    let largest = -Infinity;
    for (let j = 0; j < n[0]!; j += 1) largest = Math.max(largest, a[first + j]!);
    let sum = 0;
    for (let j = 0; j < n[0]!; j += 1) sum += Math.exp(a[first + j]! - largest);
    return Math.exp(a[t * cols + i]! - largest) / sum;
  },
  /** Sum over j of softmax_j(q_i k_j) v_j; a: q, k and v (Yuan 2.0-M32, arXiv:2405.17976). */
  'attention-score': ({ cols, a }, t, i) => {
    const row = t * 3 * cols;
    let largest = -Infinity;
    for (let j = 0; j < cols; j += 1) largest = Math.max(largest, a[row + i]! * a[row + cols + j]!);
    let sum = 0;
    let value = 0;
    for (let j = 0; j < cols; j += 1) {
      const share = Math.exp(a[row + i]! * a[row + cols + j]! - largest);
      sum += share;
      value += share * a[row + 2 * cols + j]!;
    }
    return value / sum;
  },
  /** Abs(c * silu(g)), c and g the halves of a (CMoE, arXiv:2502.04416). */
  analytic: ({ cols, a }, t, i) => {
    return Math.abs(a[t * 2 * cols + i]! * act(0, a[t * 2 * cols + cols + i]!));
  },
  /** Sum over j of m_j b[j, i], m the n1 largest of a [tokens, n0], divided by their sum. */
  mixture: ({ cols, a, b, n }, t, i) => {
    const [routers = 0, top = 0] = n;
    let sum = 0;
    let value = 0;
    for (let j = 0; j < routers; j += 1) {
      const share = a[t * routers + j]!;
      let before = 0;
      for (let other = 0; other < routers; other += 1) {
        const its = a[t * routers + other]!;
        before += Number(its > share || (its === share && other < j));
      }
      if (before >= top) continue;
      sum += share;
      value += share * b[(t * routers + j) * cols + i]!;
    }
    return value / sum;
  },
  /** The largest of a[t, j, i] over j < n0. */
  'largest-of': ({ cols, a, n }, t, i) => {
    let largest = -Infinity;
    for (let j = 0; j < n[0]!; j += 1) largest = Math.max(largest, a[(t * n[0]! + j) * cols + i]!);
    return largest;
  },
  /** Log sum over m of exp(b_im + log Normal(a; c_im, diag exp d_im)); n0 mixtures, n1 dimensions (arXiv:2510.16448). */
  'gaussian-mixture': ({ a, b, c, d, n }, t, i) => {
    const [mixtures = 0, dims = 0] = n;
    const densities = Array.from({ length: mixtures }, (_, m) => {
      const at = i * mixtures + m;
      let density = b[at]!;
      for (let j = 0; j < dims; j += 1) {
        const spread = d[at * dims + j]!;
        const far = a[t * dims + j]! - c[at * dims + j]!;
        density -= 0.5 * (Math.log(2 * Math.PI) + spread + far * far * Math.exp(-spread));
      }
      return density;
    });
    const largest = Math.max(...densities);
    return largest + Math.log(densities.reduce((sum, density) => sum + Math.exp(density - largest), 0));
  },
  /** Minus the least squared distance of a to a row c of b with c mod cols = i; n0 rows, n1 wide (VQMoE, arXiv:2411.19402). */
  'nearest-code': ({ cols, a, b, n }, t, i) => {
    const [rows = 0, width = 0] = n;
    let least = Infinity;
    for (let row = i; row < rows; row += cols) {
      let sum = 0;
      for (let j = 0; j < width; j += 1) sum += (a[t * width + j]! - b[row * width + j]!) ** 2;
      least = Math.min(least, sum);
    }
    return -least;
  },
  /** The length of the n0 columns of a from n0 * (i + n1) on; n2 columns of a. */
  length: ({ a, n }, t, i) => {
    const [size = 0, skipped = 0, width = 0] = n;
    const first = t * width + size * (i + skipped);
    let sum = 0;
    for (let j = 0; j < size; j += 1) sum += a[first + j]! ** 2;
    return Math.sqrt(sum);
  },
  /** F0 * Phi(a / sqrt(b + 1e-12)), Phi the normal distribution function (MoE-X, arXiv:2503.07639). */
  sparsity: ({ cols, a, b, f }, t, i) => {
    const x = a[t * cols + i]! / Math.sqrt(b[t * cols + i]! + 1e-12);
    return f[0]! * normalDistribution(x);
  },
  /** R_(i / n0) + c_(i mod n0), r and c the log-softmax of the halves of a, or the halves if n1 is 0. */
  'outer-sum': ({ a, n }, t, i) => {
    const [side = 0, logs = 0] = n;
    const part = (half: number, at: number) => {
      const first = (2 * t + half) * side;
      const value = a[first + at]!;
      if (logs === 0) return value;
      let largest = -Infinity;
      for (let j = 0; j < side; j += 1) largest = Math.max(largest, a[first + j]!);
      let sum = 0;
      for (let j = 0; j < side; j += 1) sum += Math.exp(a[first + j]! - largest);
      return value - largest - Math.log(sum);
    };
    return part(0, Math.floor(i / side)) + part(1, i % side);
  },
  /** P of the group of i times the share of i in its group; a: p [tokens, n0], b: members [tokens, cols]. */
  'two-level': ({ cols, a, b, n }, t, i) => {
    const [groups = 1] = n;
    const size = cols / groups;
    const own = Math.floor(i / size);
    const first = t * cols + own * size;
    let largest = -Infinity;
    for (let j = 0; j < size; j += 1) largest = Math.max(largest, b[first + j]!);
    let sum = 0;
    for (let j = 0; j < size; j += 1) sum += Math.exp(b[first + j]! - largest);
    return (a[t * groups + own]! * Math.exp(b[t * cols + i]! - largest)) / sum;
  },
  /** A number in [0, 1) of seed n0, layer n1, the position in the sequence and the column. */
  random: ({ n, bounds }, t, i) => {
    const position = t - bounds(t)[0];
    let hash =
      n[0]! ^ Math.imul(n[1]!, 0x9e3779b9) ^ Math.imul(position, 0x85ebca6b) ^ Math.imul(i, 0xc2b2ae35);
    hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
    hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
    hash ^= hash >>> 16;
    return (hash >>> 8) / 2 ** 24;
  },
  /** If b[t] is n0: f0 for experts listed in c, others masked; else a, those listed masked. */
  condition: ({ cols, a, b, c, n, f }, t, i) => {
    const isListed = c[i] !== 0;
    if (b[t] === n[0]) return isListed ? f[0]! : LOWEST;
    return isListed ? LOWEST : a[t * cols + i]!;
  },
  /** Of the tokens of the unit: n2 0 the mean, 1 the first, 2 the last, 3 all side by side; n0 tokens of a segment (0: the sequence), n1 columns of a. */
  pool: ({ a, n, bounds }, t, i) => {
    const [segment = 0, width = 1, kind = 0] = n;
    const [first, end] = unitOf(bounds(t), t, segment);
    const column = i % width;
    if (kind === 1) return a[first * width + column]!;
    if (kind === 2) return a[(end - 1) * width + column]!;
    if (kind === 3) {
      const u = first + Math.floor(i / width);
      return u < end ? a[u * width + column]! : 0;
    }
    let sum = 0;
    for (let u = first; u < end; u += 1) sum += a[u * width + column]!;
    return sum / (end - first);
  },
  /** The part of a that belongs to the place of the token in its segment of n0 tokens. */
  'own-part': ({ cols, a, n, bounds }, t, i) => {
    const place = (t - bounds(t)[0]) % n[0]!;
    return a[(t * n[0]! + place) * cols + i]!;
  },
  /** The next state of a gated recurrent unit; a: input and b: hidden terms of reset, update and new, c: the state (Cho et al. 2014). */
  gru: ({ cols, a, b, c }, t, i) => {
    const row = t * 3 * cols;
    const reset = act(8, a[row + i]! + b[row + i]!);
    const kept = act(8, a[row + cols + i]! + b[row + cols + i]!);
    const next = Math.tanh(a[row + 2 * cols + i]! + reset * b[row + 2 * cols + i]!);
    return (1 - kept) * next + kept * c[t * cols + i]!;
  },
  /** A [tokens, n0] of the experts that a token chose, 0 where there is none. */
  chosen: ({ cols, a, ids, n }, t, i) => {
    const e = ids[t * cols + i]!;
    return e < n[0]! ? a[t * n[0]! + e]! : 0;
  },
  /** Row a[t] of the table b, of n0 columns in all tables; n1 the first column. */
  'of-token': ({ a, b, n }, t, i) => {
    return b[a[t]! * n[0]! + n[1]! + i]!;
  },
  /** The weight b of expert n0, 0 if the token did not choose it; n1 places. */
  'weight-of': ({ a, ids, n }, t) => {
    const [expert = 0, places = 0] = n;
    let sum = 0;
    for (let r = 0; r < places; r += 1) if (ids[t * places + r] === expert) sum += a[t * places + r]!;
    return sum;
  },
  /** Sum over the places r of b[t, r] a[t, r, i], of places with an expert; n0 places, n1 experts. */
  combine: ({ cols, a, b, ids, n }, t, i) => {
    const [places = 0, experts = 0] = n;
    let sum = 0;
    for (let r = 0; r < places; r += 1) {
      const place = t * places + r;
      if (ids[place]! < experts) sum += b[place]! * a[place * cols + i]!;
    }
    return sum;
  },
  /** A [tokens, n0] times b[t, place], once for each place. */
  'repeat-rows': ({ cols, a, b, n }, t, i) => {
    const [width = 1] = n;
    return b[t * (cols / width) + Math.floor(i / width)]! * a[t * width + (i % width)]!;
  },
  /** A + (1 - the sum of the weights b) * c; n0 places. */
  interpolate: ({ cols, a, b, c, n }, t, i) => {
    let sum = 0;
    for (let r = 0; r < n[0]!; r += 1) sum += b[t * n[0]! + r]!;
    return a[t * cols + i]! + (1 - sum) * c[t * cols + i]!;
  },
  /** (1 - f0) a + f0 (q - a), q the row of b that is nearest to a; n0 rows. */
  'toward-code': ({ cols, a, b, n, f }, t, i) => {
    let nearest = 0;
    let least = Infinity;
    for (let row = 0; row < n[0]!; row += 1) {
      let sum = 0;
      for (let j = 0; j < cols; j += 1) sum += (a[t * cols + j]! - b[row * cols + j]!) ** 2;
      if (sum < least) [least, nearest] = [sum, row];
    }
    const value = a[t * cols + i]!;
    return (1 - f[0]!) * value + f[0]! * (b[nearest * cols + i]! - value);
  },
  /** Sum over the places of the weight b times (gamma a + beta) of the expert; c: gamma, d: beta (Perez et al. 2018); n0 places, n1 experts. */
  film: ({ cols, a, b, c, d, ids, n }, t, i) => {
    const [places = 0, experts = 0] = n;
    let sum = 0;
    for (let r = 0; r < places; r += 1) {
      const place = t * places + r;
      const e = ids[place]!;
      if (e < experts) sum += b[place]! * (c[e * cols + i]! * a[t * cols + i]! + d[e * cols + i]!);
    }
    return sum;
  },
  /** A times the mean of the vectors c of the auxiliary experts by their weights b; 1 without any; n0 places, n1 main ones, n2 experts. */
  compress: ({ cols, a, b, c, ids, n }, t, i) => {
    const [places = 0, main = 0, experts = 0] = n;
    let sum = 0;
    let theta = 0;
    for (let r = main; r < places; r += 1) {
      const place = t * places + r;
      if (ids[place]! >= experts) continue;
      sum += b[place]!;
      theta += b[place]! * c[ids[place]! * cols + i]!;
    }
    return sum === 0 ? a[t * cols + i]! : (a[t * cols + i]! * theta) / sum;
  },
  /** The first places of the ids of a token; n0 places. */
  'take-ids': ({ ids, n }, t, i) => {
    return ids[t * n[0]! + i]!;
  },
  /** A[id] of each expert; n0 experts, whose number stands for none and becomes n1. */
  'map-ids': ({ cols, a, ids, n }, t, i) => {
    const e = ids[t * cols + i]!;
    return e < n[0]! ? a[e]! : n[1]!;
  },
  /** Id * n1 + the level with the largest a [tokens, n0, n1] of the expert, the lower one of equal ones. */
  'leveled-ids': ({ cols, a, ids, n }, t, i) => {
    const [experts = 0, levels = 1] = n;
    const e = ids[t * cols + i]!;
    if (e >= experts) return experts * levels;
    const first = (t * experts + e) * levels;
    let best = 0;
    for (let level = 1; level < levels; level += 1) if (a[first + level]! > a[first + best]!) best = level;
    return e * levels + best;
  },
  /** Rotary positions of heads of n0 elements, of which n1 turn; n2: 0 halves, 1 pairs; b: cosines and sines [positions, n1 / 2, 2]. */
  rotate: ({ cols, a, b, n, bounds }, t, i) => {
    const [size = 1, dims = 0, style = 0] = n;
    const head = Math.floor(i / size) * size;
    const at = i - head;
    if (at >= dims) return a[t * cols + i]!;
    const pairs = dims / 2;
    const pair = style === 1 ? Math.floor(at / 2) : at % pairs;
    const first = head + (style === 1 ? 2 * pair : pair);
    const second = first + (style === 1 ? 1 : pairs);
    const angle = 2 * ((t - bounds(t)[0]) * pairs + pair);
    const [x, y] = [a[t * cols + first]!, a[t * cols + second]!];
    return head + at === first ? x * b[angle]! - y * b[angle + 1]! : x * b[angle + 1]! + y * b[angle]!;
  },
  /** Attention within the sequence: a: q, b: k, c: v of heads of n0 elements; head h reads head h mod n1 of k and v if n2 is 1, else head h / (heads / n1); n3: 1 causal; f0: the scale. */
  attend: ({ cols, a, b, c, n, f, bounds }, t, i) => {
    const [size = 1, keyHeads = 1, isCyclic = 0, isCausal = 0] = n;
    const [start, all] = bounds(t);
    const head = Math.floor(i / size);
    const other = isCyclic === 1 ? head % keyHeads : Math.floor(head / (cols / size / keyHeads));
    const width = keyHeads * size;
    const end = isCausal === 1 ? t + 1 : all;
    const scores: number[] = [];
    for (let u = start; u < end; u += 1) {
      let score = 0;
      for (let j = 0; j < size; j += 1)
        score += a[t * cols + head * size + j]! * b[u * width + other * size + j]!;
      scores.push(f[0]! * score);
    }
    const largest = Math.max(...scores);
    let sum = 0;
    let value = 0;
    for (const [index, score] of scores.entries()) {
      const share = Math.exp(score - largest);
      sum += share;
      value += share * c[(start + index) * width + other * size + (i % size)]!;
    }
    return value / sum;
  },
  /** The weight of each head: of the first n0, which always run, and of the routed ones, 0 if not chosen; a: routed weights, b: scores of the first, c: their balance [tokens, 2], both unless n2 is 0; n1 places (MoH, arXiv:2410.11842). */
  'head-weights': ({ a, b, c, ids, n }, t, i) => {
    const [shared = 0, places = 0, isGated = 0] = n;
    const first = isGated === 0 ? 0.5 : 1 / (1 + Math.exp(c[2 * t + 1]! - c[2 * t]!));
    if (i < shared) {
      if (isGated === 0) return 1;
      let sum = 0;
      for (let j = 0; j < shared; j += 1) sum += Math.exp(b[t * shared + j]! - b[t * shared + i]!);
      return (shared / sum) * 2 * first;
    }
    for (let r = 0; r < places; r += 1) {
      if (ids[t * places + r] === i - shared) return a[t * places + r]! * 2 * (1 - first);
    }
    return 0;
  },
  /** A times b of its head; heads of n0 elements. */
  'scale-heads': ({ cols, a, b, n }, t, i) => {
    return a[t * cols + i]! * b[t * (cols / n[0]!) + Math.floor(i / n[0]!)]!;
  },
  /** Attention of head h among the tokens of the sequence that chose it, up to the token itself; a: q, b: k, c: v of heads of n0 elements; n1 places; f0: the scale; 0 for heads that the token did not choose (MoSA, arXiv:2505.00315). */
  'sparse-attend': ({ cols, a, b, c, ids, n, f, bounds }, t, i) => {
    const [size = 1, places = 0] = n;
    const head = Math.floor(i / size);
    const chose = (token: number) => {
      for (let r = 0; r < places; r += 1) if (ids[token * places + r] === head) return true;
      return false;
    };
    if (!chose(t)) return 0;
    const scores: [number, number][] = [];
    for (let u = bounds(t)[0]; u <= t; u += 1) {
      if (!chose(u)) continue;
      let score = 0;
      for (let j = 0; j < size; j += 1)
        score += a[t * cols + head * size + j]! * b[u * cols + head * size + j]!;
      scores.push([u, f[0]! * score]);
    }
    const largest = Math.max(...scores.map(([, score]) => score));
    let sum = 0;
    let value = 0;
    for (const [u, score] of scores) {
      sum += Math.exp(score - largest);
      value += Math.exp(score - largest) * c[u * cols + i]!;
    }
    return value / sum;
  },
  /** In the row of each sequence, the inputs of its slots: sum over the tokens u of softmax_u(a[u, slot]) b[u, column]; n0 slots, n1 columns (Soft MoE, arXiv:2308.00951). */
  'slot-inputs': ({ a, b, n, starts }, t, i) => {
    const [slots = 1, width = 1] = n;
    if (t >= starts.length - 1) return 0;
    const [first, end] = [starts[t]!, starts[t + 1]!];
    const slot = Math.floor(i / width);
    let largest = -Infinity;
    for (let u = first; u < end; u += 1) largest = Math.max(largest, a[u * slots + slot]!);
    let sum = 0;
    let value = 0;
    for (let u = first; u < end; u += 1) {
      const share = Math.exp(a[u * slots + slot]! - largest);
      sum += share;
      value += share * b[u * width + (i % width)]!;
    }
    return value / sum;
  },
  /** Sum over the slots of softmax(a[t, slot]) times the output b of the slot in the row of the sequence; n0 slots. */
  'slot-outputs': ({ cols, a, b, n, starts }, t, i) => {
    const [slots = 1] = n;
    const row = starts.findLastIndex((start, index) => index < starts.length - 1 && start <= t);
    let largest = -Infinity;
    for (let slot = 0; slot < slots; slot += 1) largest = Math.max(largest, a[t * slots + slot]!);
    let sum = 0;
    let value = 0;
    for (let slot = 0; slot < slots; slot += 1) {
      const share = Math.exp(a[t * slots + slot]! - largest);
      sum += share;
      value += share * b[(row * slots + slot) * cols + i]!;
    }
    return value / sum;
  },
  /** I / n0 as an id. */
  'group-number': ({ n }, t, i) => {
    return Math.floor(i / n[0]!);
  },
  /** The mean of a over window n0 of the sequence, which has at most n1 windows; the last one that there is otherwise. */
  'window-mean': ({ cols, a, n, bounds }, t, i) => {
    const [index = 0, most = 1] = n;
    const [start, end] = bounds(t);
    const windows = Math.min(most, end - start);
    const size = Math.floor((end - start) / windows);
    const first = start + Math.min(index, windows - 1) * size;
    let sum = 0;
    for (let u = first; u < first + size; u += 1) sum += a[u * cols + i]!;
    return sum / size;
  },
  /** A + b if the sequence has a window n0 of at most n1. */
  'add-window': ({ cols, a, b, n, bounds }, t, i) => {
    const [start, end] = bounds(t);
    return a[t * cols + i]! + (n[0]! < Math.min(n[1]!, end - start) ? b[t * cols + i]! : 0);
  },
  /** A, b or c by the number, 0 to 2, of the largest of d [tokens, n0]. */
  'take-run': ({ cols, a, b, c, d, n }, t, i) => {
    let best = 0;
    for (let j = 1; j < n[0]!; j += 1) if (d[t * n[0]! + j]! > d[t * n[0]! + best]!) best = j;
    return [a, b, c][best]![t * cols + i]!;
  },
  /** F0. */
  constant: ({ f }) => {
    return f[0]!;
  },
};
