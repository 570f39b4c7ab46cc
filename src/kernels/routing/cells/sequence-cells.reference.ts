/** The specification of cells of the tokens of a sequence, in f64. */
import type { CellReference } from './values.reference.ts';

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

/** Cells of the tokens of a sequence, by name. */
export const SEQUENCE_CELLS = {
  /** A number in [0, 1) of seed n0, layer n1, the position in the sequence and the column. */
  random: ({ n, past, bounds }, t, i) => {
    const position = past + t - bounds(t)[0];
    let hash =
      n[0]! ^ Math.imul(n[1]!, 0x9e3779b9) ^ Math.imul(position, 0x85ebca6b) ^ Math.imul(i, 0xc2b2ae35);
    hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
    hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
    hash ^= hash >>> 16;
    return (hash >>> 8) / 2 ** 24;
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
} as const satisfies Readonly<Record<string, CellReference>>;
