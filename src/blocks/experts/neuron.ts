import { atomicExpertsNode } from '../../graph/ops/atomic-experts.ts';
import type { NeuronExpertSpec } from '../../models/spec.ts';
import type { ExpertKind } from '../block.ts';

/** One-neuron experts, act(x . in) * out (PEER, He 2024). A record is a page: input vectors `in`, then output vectors `out`. */
export const neuron: ExpertKind<NeuronExpertSpec> = {
  kind: 'neuron',
  inWaves: false, // the sum of a token runs over all its experts in rank order
  skipsBy: 'weight',
  inPages: true,
  parts: ({ input, output }, hidden) => ({
    in: { rows: input, shape: [1, hidden] },
    out: { rows: output, shape: [1, hidden] },
  }),
  add(site, x, { ids, weights }, { activation }) {
    const { builder, label, hidden, bank, experts } = site;
    const y = site.stream(`${label} routed`);
    const topK = ids.perToken;
    builder.add(atomicExpertsNode(label, { x, ids, weights, y, bank, experts, topK, hidden, activation }));
    return y;
  },
};
