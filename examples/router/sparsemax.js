/** A router by sparsemax (arXiv:1602.02068): affinities max(z - t, 0) that sum to 1, so that most experts have exactly none. */
import { registerStage } from 'atomoe';
import { gateNode, linearNode } from 'atomoe/ops';

const wgsl = `const SUMS_ROW = false;
fn row_shift(base: u32) -> f32 { // t: the largest (sum of the k best logits - 1) / k
  var threshold = MASKED;
  for (var e = base; e < base + params.experts; e++) {
    var best = vec2(-1.0, 0.0); // sum - 1, and k
    for (var o = base; o < base + params.experts; o++) {
      best += select(vec2(0.0), vec2(logits[o], 1.0), logits[o] >= logits[e]);
    }
    threshold = max(threshold, best.x / best.y);
  }
  return threshold;
}
fn raw_score(logit: f32, shift: f32) -> f32 { return select(MASKED, logit - shift, logit > shift); }
fn share(raw: f32, sum: f32) -> f32 { return raw; }`;
const reference = (row) => {
  let sum = -1;
  const threshold = Math.max(...row.toSorted((a, b) => b - a).map((z, k) => (sum += z) / (k + 1)));
  row.forEach((z, e) => (row[e] = z > threshold ? z - threshold : -3e38)); // MASKED: never chosen
};
registerStage({ name: 'sparsemax', role: 'score', over: 'row', wgsl, reference });
const rule = { score: 'sparsemax', renorm: 'sum', eps: 0, scale: 1, groups: null };
export const sparsemax = {
  kind: 'sparsemax',
  most: ({ select }) => select.k,
  add(site, x, { score, select: { k: topK } }) {
    const { builder, label, hidden, experts } = site;
    const logits = builder.tensor(`${label} logits`, { type: 'f32', perToken: experts });
    const weight = builder.exact(score.weight, experts, hidden, score.weight);
    const bias = builder.computed(`no bias ${experts}`, experts, 1, () => new Float32Array(experts));
    const routes = site.routes(topK);
    builder.add(linearNode(`${label} logits`, { x, weight, y: logits }));
    builder.add(gateNode(label, { logits, bias, ...routes, experts, topK, rule }));
    return routes;
  },
};
