/** A sublayer of routed experts: its router, what it predicts, its experts, and the shared one beside them. */
import { rmsNormNode } from '../graph/ops/norm.ts';
import { skipLightNode } from '../graph/ops/skip-light.ts';
import type { RouteOutputs } from '../graph/node.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { MoeSpec } from '../models/spec.ts';
import { addShared, sharedBranch } from './mlp.ts';
import type { Routes, Site } from './site.ts';
import type { Blocks } from './table.ts';

/** What a sublayer reads. */
export interface SublayerInput {
  readonly x: Tensor; // the stream [tokens, hidden]
  readonly normed: Tensor; // its norm
}

/** A sublayer with routed experts, and the gain of the norm before it. */
export interface MoeSublayer {
  readonly norm: string;
  readonly moe: MoeSpec;
}

/** Where a sublayer is in the model. */
export interface MoePlace {
  readonly specLayer: number; // among all layers of the spec
  readonly bank: number; // among the sublayers with experts
  readonly later: readonly MoeSublayer[]; // in the order in which they run
}

/** What a sublayer adds to the stream [tokens, hidden], and what it reports about its experts. */
export interface MoeBranch {
  readonly y: Tensor;
  readonly route: RouteOutputs;
}

/** Routed experts, and the shared one beside them. */
export function expertsBranch(
  site: Site,
  blocks: Blocks,
  { x, normed }: SublayerInput,
  moe: MoeSpec,
  place: MoePlace,
): MoeBranch {
  const { builder, label, purpose } = site;
  const { experts, expert, shared } = moe;
  const { specLayer, bank } = place;
  const kind = blocks.expert(expert);
  const { ids, weights, scores } = route(site, blocks, normed, moe, { label, bank, name: `route ${bank}` });
  const routes = { ids, weights };
  const { skipBelow: bound = 0 } = purpose;
  if (bound > 0) {
    const dropIds = kind.skipsBy === 'id';
    builder.add(skipLightNode(label, { ...routes, topK: ids.perToken, bound, dropIds }));
  }
  const look = lookAhead(site, blocks, x, place);
  // Ahead of the routed experts: the GPU has something to do while they are fetched.
  const branch = shared && sharedBranch(site, normed, shared);
  const here = site.moe(label, { experts, bank, name: label });
  const routed = kind.add(here, normed, routes, expert);
  const y = branch ? addShared(site, routed, branch) : routed;
  return { y, route: { specLayer, bank, ids, weights, scores, look } };
}

/** Which experts each token takes, in tensors named after `name`. */
function route(
  site: Site,
  blocks: Blocks,
  x: Tensor,
  { experts, router }: MoeSpec,
  { label, bank, name }: { readonly label: string; readonly bank: number; readonly name: string },
): Routes {
  return blocks.router(router).add(site.moe(label, { experts, bank, name }), x, router);
}

/**
 * What the next layers would choose if the stream stayed as it is: their own routers and norms on it. Nothing in the
 * step depends on it.
 *
 * @returns ids [tokens, its most] of each of them, the nearest first
 */
function lookAhead(site: Site, blocks: Blocks, x: Tensor, { bank, later }: MoePlace): Tensor[] {
  const { builder, purpose, hidden, eps } = site;
  const look: Tensor[] = [];
  for (const [ahead, { norm, moe }] of later.slice(0, purpose.lookahead ?? 0).entries()) {
    const label = `${site.label} look ${ahead}`;
    const gain = builder.exact(norm, 1, hidden, norm);
    const y = builder.tensor(`${label} normed`, { perToken: hidden });
    builder.when(
      ({ lookahead = 0 }) => ahead < lookahead,
      () => {
        builder.add(rmsNormNode(label, { x, gain, y, eps }));
        look.push(route(site, blocks, y, moe, { label, bank, name: `look ${bank} ${ahead}` }).ids);
      },
    );
  }
  return look;
}
