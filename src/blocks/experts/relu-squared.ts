import { expertsNode } from '../../graph/ops/moe.ts';
import type { ReluSquaredExpertSpec } from '../../models/spec.ts';
import type { ExpertKind } from '../block.ts';
import { checkQuads } from '../check-sizes.ts';

/**
 * Experts without a gate, down(relu(up x)^2) (Nemotron-H, NVIDIA 2025): one record each, of `up` and `down`. They run as gated
 * experts whose gate is `up` itself, relu(up x) * up x, which computes its products twice but stores it once.
 */
export const reluSquared: ExpertKind<ReluSquaredExpertSpec> = {
  kind: 'reluSquared',
  inWaves: true,
  skipsBy: 'id',
  check: ({ width }, label) => checkQuads(label, 'intermediate size', width),
  parts: ({ width, up, down }, hidden) => ({
    up: { rows: up, shape: [width, hidden] },
    down: { rows: down, shape: [hidden, width] },
  }),
  add(site, x, { ids, weights }, { width }) {
    const { builder, label, hidden, bank, experts } = site;
    const y = site.stream(`${label} routed`);
    const io = { x, ids, weights, y, bank, experts, topK: ids.perToken, hidden, width };
    builder.add(expertsNode(label, { ...io, activation: 'relu', gatePart: 'up' }));
    return y;
  },
};
