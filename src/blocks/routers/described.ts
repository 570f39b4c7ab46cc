import type { Tensor } from '../../graph/tensor.ts';
import type { HooksDescription } from '../../models/layer/layer.ts';
import type { RouterDescription } from '../../models/layer/router.ts';
import type { RouterSpec } from '../../models/spec.ts';
import type { Router } from '../block.ts';
import { addEachOnce, addKeyRoutes } from '../described/key-routes.ts';
import { ModelNodes, type SharedRouting } from '../described/model-nodes.ts';
import { addChoice, routingSite } from '../described/router.ts';
import { layersBefore } from '../described/earlier.ts';
import { addScores } from '../described/scores.ts';
import type { LayerTensors } from '../described/tensors.ts';
import type { MoeSite, Routes } from '../site.ts';

/** A described router in a model, with the tensors that it names. */
export interface DescribedScoreSpec {
  readonly kind: 'described';
  readonly router: RouterDescription;
  readonly hooks?: HooksDescription; // without what only a request has
  readonly tensors: LayerTensors;
  readonly shared: SharedRouting;
  readonly vocab: number;
  readonly layer: number; // of the model, for names with {layer}
  readonly bank: number; // index among the layers with experts
  readonly most: number;
}

/** A router as a description of a layer has it, whose decisions do not depend on later tokens. */
export const described: Router<RouterSpec<DescribedScoreSpec>> = {
  kind: 'described',
  most: ({ score }) => score.most,
  known({ score }) {
    const { router, tensors, layer } = score;
    const { select, scope } = router;
    if (select.kind !== 'ids' || select.tensor === undefined || isChanged(score)) return undefined;
    // A decision of the model is that of another layer's table.
    if (scope.decision === 'model' && JSON.stringify(select.tensor).includes('{layer}')) return undefined;
    const { shape, values } = tensors.get(select.tensor, { layer });
    const width = shape.at(-1) ?? 1;
    return (token) => values.subarray(token * width, (token + 1) * width);
  },
  knownBy({ score }) {
    const { hooks, router } = score;
    const { select } = router;
    if (hooks?.replay && Object.keys(hooks).length === 1 && select.drop.length === 0) return hooks.replay.ids;
    return select.kind === 'ids' && select.tensor === undefined && !isChanged(score)
      ? select.name
      : undefined;
  },
  decidedAt({ score }, bank) {
    const { deciding } = score.shared;
    const isReused = score.router.scope.decision === 'model' && deciding !== undefined;
    const own = isReused ? deciding : bank;
    return Math.max(0, own - layersBefore(score.router));
  },
  add(site, x, { score }) {
    if (score.router.scope.decision !== 'model') return routesOf(site, x, score);
    const { decisions } = score.shared;
    const place = { at: site.bank, of: score.bank };
    const routes = decisions.before(site.builder, 'routes', place) ?? routesOf(site, x, score);
    decisions.add(site.builder, 'routes', place, routes);
    return routes;
  },
};

/** Whether something may change the ids that are given. */
function isChanged({ router, hooks }: DescribedScoreSpec): boolean {
  return hooks !== undefined || router.capacity !== undefined || router.select.drop.length > 0;
}

function routesOf(site: MoeSite, x: Tensor, score: DescribedScoreSpec): Routes {
  const { router, hooks, tensors, layer, most } = score;
  const { shared, vocab } = score;
  const place = { at: site.bank, of: score.bank };
  const nodes = new ModelNodes(site, { ...place, shared, vocab });
  const scoreSite = { nodes, tensors, x, experts: site.experts, scope: { layer } };
  const name = router.state?.name ?? '';
  const before = router.state && shared.states.before(site.builder, name, place);
  const keep = (state: Tensor | undefined) => state && shared.states.add(site.builder, name, place, state);
  if (router.score.kind === 'productKeys') {
    const routes = addKeyRoutes(scoreSite, { router, score: router.score, most, hooks, before });
    keep(routes.state);
    return addEachOnce(scoreSite, routes);
  }
  const { scores, groupScores, state } = addScores(scoreSite, router, before);
  keep(state);
  const routing = routingSite(scoreSite, { scores, most, groupScores });
  const { ids, weights } = addChoice(scoreSite, routing, router, { hooks, largest: false });
  return { ids, weights };
}
