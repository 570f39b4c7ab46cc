/** Routers of product keys, each head of which chooses for itself (section 3 of the format). */
import type { Tensor } from '../../graph/tensor.ts';
import type { HooksDescription } from '../../models/layer/layer.ts';
import type { RouterDescription, ScoreDescription } from '../../models/layer/router.ts';
import type { ExpertRoutes } from './experts.ts';
import { routingSite } from './router.ts';
import { addRouting } from './routing.ts';
import { addKeyScores, type ScoreSite } from './scores.ts';

/** What a router of product keys is given besides its site. */
export interface KeyRouting {
  readonly router: RouterDescription;
  readonly score: Extract<ScoreDescription, { kind: 'productKeys' }>;
  readonly most: number; // of all heads
  readonly hooks?: HooksDescription | undefined;
  readonly before?: Tensor | undefined; // the state
}

/** The routes of the heads side by side: heads may choose the same expert. */
export function addKeyRoutes(
  site: ScoreSite,
  { router, score, most, hooks = {}, before }: KeyRouting,
): ExpertRoutes & { readonly state?: Tensor | undefined } {
  const { nodes } = site;
  const each = most / score.heads;
  const { heads, state } = addKeyScores(site, router, score, before);
  const chosen = heads.map((scores) => {
    const { ids, weights } = addRouting(routingSite(site, { scores, most: each }), router, { hooks });
    return { ids: nodes.cell('take-ids', [], { cols: each, n: [each], ids }), weights };
  });
  const numbers = nodes.concat(chosen.map(({ ids }) => ids));
  const ids = nodes.cell('slice', [numbers], { cols: most, n: [most, 0], type: 'u32', role: 'output' });
  const weights = nodes.concat(chosen.map((head) => head.weights));
  return { ids, weights: nodes.kept(weights), places: most, state };
}

/** Each expert once, with the sum of its weights; the other places have none. */
export function addEachOnce(
  { nodes, experts }: ScoreSite,
  { ids, weights, places }: ExpertRoutes,
): Pick<ExpertRoutes, 'ids' | 'weights'> {
  const same = nodes.weight(
    'each expert',
    Float32Array.from({ length: experts }, (_, id) => id),
  );
  const use = { cols: places, n: [experts, experts], ids, role: 'output' } as const;
  return {
    ids: nodes.cell('alias-ids', [same], { ...use, type: 'u32' }),
    weights: nodes.cell('alias-weights', [same, weights], use),
  };
}
