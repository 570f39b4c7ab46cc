import { cellsNode } from '../../graph/ops/cells.ts';
import { gateNode } from '../../graph/ops/gate.ts';
import { linearNode } from '../../graph/ops/linear.ts';
import type { RouterSpec } from '../../models/spec.ts';
import type { Router } from '../block.ts';

/** One score per expert, that of a neuron which stands for it: s = abs((classifier x) * silu(gate x)). */
export interface AnalyticScoreSpec {
  readonly kind: 'analytic';
  readonly classifier: string; // [experts, hidden]
  readonly gate: string; // [experts, hidden]
}

/** The k best by the score, with the weight 1 each (CMoE, arXiv:2502.04416, before its scales are trained). */
export const analytic: Router<RouterSpec<AnalyticScoreSpec>> = {
  kind: 'analytic',
  most: ({ select }) => select.k,
  add(site, x, { score, select }) {
    const { builder, label, hidden, experts } = site;
    const shape = [experts, hidden];
    const parts = [score.classifier, score.gate].map((tensor) => ({ tensor, shape }));
    const weight = builder.exact(`${score.classifier} + ${score.gate}`, 2 * experts, hidden, ...parts);
    const both = builder.tensor(`${label} router`, { type: 'f32', perToken: 2 * experts });
    builder.add(linearNode(`${label} router`, { x, weight, y: both }));
    const logits = builder.tensor(`${label} router logits`, { type: 'f32', perToken: experts });
    builder.add(cellsNode(`${label} scores`, { cell: 'analytic', inputs: [both], y: logits }));
    const bias = builder.computed(`no bias ${experts}`, experts, 1, () => new Float32Array(experts));
    const routes = site.routes(select.k);
    const affinities = builder.tensor(`${label} affinities`, { type: 'f32', perToken: select.k });
    const rule = { score: 'identity', renorm: 'none', eps: 0, scale: 1, groups: null } as const;
    const gate = { logits, bias, ids: routes.ids, weights: affinities, experts, topK: select.k, rule };
    builder.add(gateNode(label, gate));
    builder.add(cellsNode(`${label} weights`, { cell: 'constant', inputs: [], y: routes.weights, f: [1] }));
    return routes;
  },
};
