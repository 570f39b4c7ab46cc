import type { GateSize, RouterGroups, RouterRule } from './gate.ts';

const MASK_LIMIT = -1e37; // a bias below it means: never choose

/**
 * a = score(logits); s = a + bias; ids = the topK experts by s within the groups kept, largest first, ties to the lower
 * id; weights = scale * renorm(a of those). Where fewer may be chosen, the rest are id `experts` with weight 0.
 *
 * logits [tokens, experts], bias [experts] -> ids [tokens, topK], weights [tokens, topK]
 */
export function gateReference(
  logits: Float32Array,
  bias: Float32Array,
  { tokens, experts, topK, rule }: GateSize & { rule: RouterRule },
): { ids: Uint32Array<ArrayBuffer>; weights: Float32Array<ArrayBuffer> } {
  const ids = new Uint32Array(tokens * topK).fill(experts);
  const weights = new Float32Array(tokens * topK);
  const selection = new Float32Array(experts);
  for (let t = 0; t < tokens; t += 1) {
    const row = logits.subarray(t * experts, (t + 1) * experts);
    const scores = scoresOf(row, rule);
    for (let e = 0; e < experts; e += 1) selection[e] = Math.fround(scores[e]!) + bias[e]!;
    if (rule.groups) maskGroups(selection, rule.groups);
    const chosen = largest(selection, topK);
    const values = weightsOf(chosen, scores, row, rule);
    ids.set(chosen, t * topK);
    weights.set(values, t * topK);
  }
  return { ids, weights };
}

function scoresOf(row: Float32Array, { score }: RouterRule): Float64Array {
  const scores = Float64Array.from(row);
  if (score === 'sigmoid') return scores.map((value) => 1 / (1 + Math.exp(-value)));
  return score === 'softmax' ? softmax(scores) : scores;
}

function softmax(values: Float64Array): Float64Array {
  let shift = -Infinity;
  for (const value of values) shift = Math.max(shift, value);
  const powers = values.map((value) => Math.exp(value - shift));
  let sum = 0;
  for (const power of powers) sum += power;
  return powers.map((power) => power / sum);
}

/** Masks the experts of all groups but the best `keep`; of equal groups the lower one stays. */
function maskGroups(selection: Float32Array, { count, keep, score }: RouterGroups): void {
  const size = selection.length / count;
  const values = new Float32Array(count);
  for (let g = 0; g < count; g += 1) {
    const sorted = selection.slice(g * size, (g + 1) * size).sort();
    const first = sorted[size - 1]!;
    const second = size > 1 ? sorted[size - 2]! : 0;
    values[g] = score === 'max' || size === 1 ? first : Math.max(first, -1e38) + Math.max(second, -1e38);
  }
  const kept = new Set(largest(values, keep, -Infinity));
  for (let e = 0; e < selection.length; e += 1) {
    if (!kept.has(Math.floor(e / size))) selection[e] = -3e38;
  }
}

/** The indices of the `count` largest values above `limit`, largest first, ties to the lower index. */
function largest(values: Float32Array, count: number, limit = MASK_LIMIT): number[] {
  const best: number[] = [];
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]!;
    if (!(value > limit)) continue;
    if (best.length === count && value <= values[best[count - 1]!]!) continue;
    let at = best.length;
    while (at > 0 && value > values[best[at - 1]!]!) at -= 1;
    best.splice(at, 0, i);
    if (best.length > count) best.pop();
  }
  return best;
}

function weightsOf(
  chosen: number[],
  scores: Float64Array,
  row: Float32Array,
  rule: RouterRule,
): Float64Array {
  if (rule.renorm === 'softmax') {
    return softmax(Float64Array.from(chosen, (e) => row[e]!)).map((value) => value * rule.scale);
  }
  const values = Float64Array.from(chosen, (e) => scores[e]!);
  let sum = 0;
  for (const value of values) sum += value;
  let divisor = 1;
  if (rule.renorm === 'sum') divisor = sum + rule.eps;
  if (rule.renorm === 'clamped-sum') divisor = Math.max(sum, rule.eps);
  return values.map((value) => (divisor === 0 ? 0 : (value * rule.scale) / divisor));
}
