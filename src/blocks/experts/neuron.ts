import { atomicExpertsNode } from '../../graph/ops/atomic-experts.ts';
import type { NeuronExpertSpec } from '../../models/spec.ts';
import type { ExpertKind } from '../block.ts';
import { rowsOf } from '../expert-rows.ts';

/** Experts are too small to fetch and evict one by one: a unit is a page of them, so many grid rows. */
const MIN_ROW_PAGE_BYTES = 16 * 1024; // small enough that a cache of some pages pays

/** Shorter grid rows are gathered up to so many bytes: below it a read costs its round trip, not its bytes. */
const MIN_GATHERED_PAGE_BYTES = 64 * 1024;

/** One-neuron experts, act(x . in) * out: a record is a page of input vectors `in`, then output vectors `out`. */
export const neuron: ExpertKind<NeuronExpertSpec> = {
  kind: 'neuron',
  inWaves: false, // a token's sum runs over all its experts in rank order
  skipsBy: 'weight',
  units: (_spec, { experts }, expertBytes) => experts / pageSize(experts, expertBytes),
  parts({ input, output }, { experts, hidden }, units, unit) {
    const count = experts / units;
    const page = { shape: [count, hidden] } as const;
    return {
      in: { rows: rowsOf(input, unit * count, count), ...page },
      out: { rows: rowsOf(output, unit * count, count), ...page },
    };
  },
  add(site, x, { ids, weights }, { activation }) {
    const { builder, label, hidden, bank, experts } = site;
    const y = site.stream(`${label} routed`);
    const topK = ids.perToken;
    builder.add(atomicExpertsNode(label, { x, ids, weights, y, bank, experts, topK, hidden, activation }));
    return y;
  },
};

/**
 * Experts of a page: a grid row where it has `MIN_ROW_PAGE_BYTES`, else whole grid rows that divide the table, enough of
 * them for `MIN_GATHERED_PAGE_BYTES`. Where the experts form no square, a row is one expert.
 */
export function pageSize(experts: number, expertBytes: number): number {
  const side = Math.sqrt(experts);
  const row = Number.isInteger(side) ? side : 1;
  if (row * expertBytes >= MIN_ROW_PAGE_BYTES) return row;
  for (let rows = 1; rows <= experts / row; rows += 1) {
    const isDivisor = (experts / row) % rows === 0;
    const size = rows * row;
    if (isDivisor && (size * expertBytes >= MIN_GATHERED_PAGE_BYTES || size === experts)) return size;
  }
  return experts;
}
