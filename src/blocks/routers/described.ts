import { AtomoeError } from '../../errors.ts';
import type { GraphBuilder } from '../../graph/builder.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { HooksDescription } from '../../models/layer/layer.ts';
import type { RouterDescription } from '../../models/layer/router.ts';
import type { RouterSpec } from '../../models/spec.ts';
import type { Router } from '../block.ts';
import { LayerNodes } from '../described/nodes.ts';
import { addChoice, routingSite } from '../described/router.ts';
import type { RequestShape } from '../described/routing-site.ts';
import { addScores } from '../described/scores.ts';
import type { LayerTensors } from '../described/tensors.ts';

/** A described router in a model, with the tensors that it names. */
export interface DescribedScoreSpec {
  readonly kind: 'described';
  readonly router: RouterDescription;
  readonly hooks?: HooksDescription; // without what only a request has
  readonly tensors: LayerTensors;
  readonly layer: number; // of the model, for names with {layer}
  readonly most: number;
}

/** A router as a description of a layer has it, whose decisions depend on the token alone. */
export const described: Router<RouterSpec<DescribedScoreSpec>> = {
  kind: 'described',
  most: ({ score }) => score.most,
  known({ score: { router, hooks, tensors, layer, most } }) {
    const { select, capacity } = router;
    if (select.kind !== 'ids' || select.tensor === undefined) return undefined;
    if (hooks || capacity || select.drop.length > 0) return undefined;
    const { values } = tensors.get(select.tensor, { layer });
    return (token) => values.subarray(token * most, (token + 1) * most);
  },
  add(site, x, { score }) {
    const { router, hooks, tensors, layer, most } = score;
    const nodes = new ModelNodes(site.builder, `${site.label} `);
    const scoreSite = { nodes, tensors, x, experts: site.experts, scope: { layer } };
    const { scores, groupScores } = addScores(scoreSite, router);
    const routing = routingSite(scoreSite, { scores, most, groupScores });
    const { ids, weights } = addChoice(scoreSite, routing, router, { hooks, largest: false });
    return { ids, weights };
  },
};

/** Nodes in the graph of a model, whose only request is its tokens. */
class ModelNodes extends LayerNodes {
  constructor(builder: GraphBuilder, prefix: string) {
    super(builder, { tokens: 1, sequences: 0, widths: new Map() }, prefix);
  }

  override given(name: string, shape: RequestShape): Tensor {
    if (name === 'tokenIds' && shape.type === 'f32') {
      return this.cell('take-ids', [], { cols: 1, n: [1], ids: this.builder.ids });
    }
    throw new AtomoeError(
      'bad-input',
      `the routing reads "${name}" of a request, which text does not have; choose a rule that reads the token alone`,
    );
  }
}
