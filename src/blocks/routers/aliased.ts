import { cellsNode } from '../../graph/ops/cells.ts';
import type { RouterSpec } from '../../models/spec.ts';
import type { Router } from '../block.ts';

/** A router whose experts are names of fewer ones. */
export interface AliasedScoreSpec {
  readonly kind: 'aliased';
  readonly router: RouterSpec;
  readonly block: Router; // of `router`
  readonly alias: readonly number[]; // by expert of `router`: the expert that is run
}

/** Chooses by another router, and runs the expert that each chosen one is a name of, once: weights of names of one expert are added. */
export const aliased: Router<RouterSpec<AliasedScoreSpec>> = {
  kind: 'aliased',
  most: ({ score: { block, router } }) => block.most(router),
  add(site, x, { score: { block, router, alias } }) {
    const { builder, label, bank, experts } = site;
    const named = `${label} named`;
    const chosen = block.add(site.moe(named, { experts: alias.length, bank, name: named }), x, router);
    const table = builder.computed(`${label} alias`, alias.length, 1, () => Float32Array.from(alias));
    const routes = site.routes(chosen.ids.perToken);
    const n = [alias.length, experts]; // the number of experts is none of them
    const { ids } = chosen;
    builder.add(cellsNode(`${label} ids`, { cell: 'alias-ids', inputs: [table], ids, y: routes.ids, n }));
    const inputs = [table, chosen.weights];
    builder.add(cellsNode(`${label} weights`, { cell: 'alias-weights', inputs, ids, y: routes.weights, n }));
    return { ...routes, ...(chosen.inputs ? { inputs: chosen.inputs } : {}) };
  },
};
