/** The specification of cells of the experts that a token chose, in f64. */
import type { CellReference } from './values.reference.ts';

/** Cells of the experts that a token chose, by name. */
export const ROUTE_CELLS = {
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
  /** A[id] of each expert, what is none of the n0 experts or stands in an earlier place becomes n1. */
  'alias-ids': ({ cols, a, ids, n }, t, i) => {
    const [experts = 0, none = 0] = n;
    const physical = (r: number) => {
      const e = ids[t * cols + r]!;
      return e < experts ? a[e]! : none;
    };
    const own = physical(i);
    for (let r = 0; r < i; r += 1) if (physical(r) === own) return none;
    return own;
  },
  /** The sum of the weights b of all places with the same a[id], 0 in a later one of them and where there is none of the n0 experts. */
  'alias-weights': ({ cols, a, b, ids, n }, t, i) => {
    const [experts = 0] = n;
    const own = ids[t * cols + i]!;
    if (own >= experts) return 0;
    let sum = 0;
    for (let r = 0; r < cols; r += 1) {
      const other = ids[t * cols + r]!;
      if (other >= experts || a[other] !== a[own]) continue;
      if (r < i) return 0;
      sum += b[t * cols + r]!;
    }
    return sum;
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
} as const satisfies Readonly<Record<string, CellReference>>;
