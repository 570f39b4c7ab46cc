/** The specification of cells of the row of a token, in f64. */
import { erfc } from '../../core/activation.reference.ts';
import { activationReference as act } from './activation.reference.ts';
import { LOWEST, type CellReference } from './values.reference.ts';

const normalDistribution = (x: number) => 0.5 * erfc(-x / Math.SQRT2);

/** Cells of the row of a token, by name. */
export const ROW_CELLS = {
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
  /** If b[t] is n0: f0 for experts listed in c, others masked; else a, those listed masked. */
  condition: ({ cols, a, b, c, n, f }, t, i) => {
    const isListed = c[i] !== 0;
    if (b[t] === n[0]) return isListed ? f[0]! : LOWEST;
    return isListed ? LOWEST : a[t * cols + i]!;
  },
  /** The next state of a gated recurrent unit; a: input and b: hidden terms of reset, update and new, c: the state (Cho et al. 2014). */
  gru: ({ cols, a, b, c }, t, i) => {
    const row = t * 3 * cols;
    const reset = act(8, a[row + i]! + b[row + i]!);
    const kept = act(8, a[row + cols + i]! + b[row + cols + i]!);
    const next = Math.tanh(a[row + 2 * cols + i]! + reset * b[row + 2 * cols + i]!);
    return (1 - kept) * next + kept * c[t * cols + i]!;
  },
  /** Row a[t] of the table b, of n0 columns in all tables; n1 the first column. */
  'of-token': ({ a, b, n }, t, i) => {
    return b[a[t]! * n[0]! + n[1]! + i]!;
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
  /** A times b of its head; heads of n0 elements. */
  'scale-heads': ({ cols, a, b, n }, t, i) => {
    return a[t * cols + i]! * b[t * (cols / n[0]!) + Math.floor(i / n[0]!)]!;
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
} as const satisfies Readonly<Record<string, CellReference>>;
