/** Gated experts of which only the first `keep` neurons are stored, fetched and run (after MatFormer, arXiv:2310.07707). */
import { expertsNode } from 'atomoe/ops';

/** down(act(gate x) * up x), of a spec as that of `gated` experts with the number of neurons, `keep`, a multiple of 4. */
export const slim = {
  kind: 'slim',
  inWaves: true, // a prompt may take the experts in turn
  skipsBy: 'id',
  parts: ({ keep, gate, up, down }, hidden) => ({
    gate: { rows: { ...gate, start: gate.start ?? 0, count: keep }, shape: [keep, hidden] },
    up: { rows: { ...up, start: up.start ?? 0, count: keep }, shape: [keep, hidden] },
    down: { rows: { ...down, columns: { start: 0, step: 1 } }, shape: [hidden, keep] },
  }),
  together: ['gate', 'up'],
  add(site, x, { ids, weights }, { keep, activation }) {
    const { builder, label, hidden, bank, experts } = site;
    const y = site.stream(`${label} slim`);
    const topK = ids.perToken;
    builder.add(
      expertsNode(label, { x, ids, weights, y, bank, experts, topK, hidden, activation, width: keep }),
    );
    return y;
  },
};
