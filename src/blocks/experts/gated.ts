import { expertsNode } from '../../graph/ops/moe.ts';
import type { GatedExpertSpec } from '../../models/spec.ts';
import type { ExpertKind } from '../block.ts';
import { checkQuads } from '../check-sizes.ts';

/** Experts that are gated MLPs (SwiGLU and others, Shazeer 2020), down(act(gate x) * up x): one record each, of `gate`, `up`, `down` and any biases. */
export const gated: ExpertKind<GatedExpertSpec> = {
  kind: 'gated',
  inWaves: true,
  skipsBy: 'id',
  check: ({ width }, label) => checkQuads(label, 'intermediate size', width),
  parts: ({ width, gate, up, down, biases }, hidden) => ({
    gate: { rows: gate, shape: [width, hidden] },
    up: { rows: up, shape: [width, hidden] },
    down: { rows: down, shape: [hidden, width] },
    ...(biases && {
      gateBias: { rows: biases.gate, shape: [1, width], exact: true },
      upBias: { rows: biases.up, shape: [1, width], exact: true },
      downBias: { rows: biases.down, shape: [1, hidden], exact: true },
    }),
  }),
  together: ['gate', 'up'],
  add(site, x, { ids, weights }, { width, activation, biases }) {
    const { builder, label, hidden, bank, experts } = site;
    const y = site.stream(`${label} routed`);
    const topK = ids.perToken;
    const biased = biases !== undefined;
    const io = { x, ids, weights, y, bank, experts, topK, hidden, activation, width, biased };
    builder.add(expertsNode(label, io));
    return y;
  },
};
